// The page's side of the Worker that trains: it starts it, sends it letters, and hands on what it tells.

/** The script that holds the Worker, the compiled trainer and the base: in the page, or fetched now. */
export function parts(address) {
  if (globalThis.lora_engine || !address) return Promise.resolve(globalThis.lora_engine)
  return new Promise((resolve) => {
    const script = document.createElement('script')
    script.onload = script.onerror = () => resolve(globalThis.lora_engine)
    script.src = address
    document.head.append(script)
  })
}

/** A Worker with the model in it. */
async function open(place, parts) {
  let worker
  try {
    worker = new Worker(place)
  } catch {
    throw new Error('forbidden')
  }
  await new Promise((resolve, reject) => {
    worker.onerror = () => reject(new Error('forbidden')) // a policy that forbids it is heard of here
    worker.onmessage = ({ data: { failed } }) =>
      failed ? reject(new Error(failed === 'simd' ? failed : 'forbidden')) : resolve()
    worker.postMessage({ open: parts })
  })
  return worker
}

/** One or several Workers that are ready to train. What they tell goes to the function of that name in `hears`. */
export class Engine {
  /** Throws an Error whose message is a key of the words for what went wrong. */
  static async start(address, count, hears) {
    const found = await parts(address)
    if (!found) throw new Error('unreachable')
    if (typeof Worker === 'undefined' || typeof WebAssembly === 'undefined') throw new Error('forbidden')
    const { worker, recorded: _, ...rest } = found
    const place = URL.createObjectURL(new Blob([worker], { type: 'text/javascript' }))
    const workers = await Promise.all(Array.from({ length: count }, () => open(place, rest)))
    URL.revokeObjectURL(place)
    return new Engine(workers, hears)
  }

  constructor(workers, hears) {
    this.workers = workers
    const [first, ...others] = workers
    const channels = others.map(() => new MessageChannel())
    others.forEach((other, i) => other.postMessage({ help: channels[i].port2 }, [channels[i].port2]))
    const ports = channels.map(({ port1 }) => port1)
    first.postMessage({ helpers: ports }, ports)
    const hear = ({ data }) => {
      for (const [name, told] of Object.entries(data)) hears[name]?.(told)
    }
    for (const each of workers) each.onmessage = hear
    first.onerror = ({ message }) => hears.failed(message)
  }

  say(letter) {
    this.workers[0].postMessage(letter)
  }

  stop() {
    for (const worker of this.workers) worker.terminate()
  }
}
