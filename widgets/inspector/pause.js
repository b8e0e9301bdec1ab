// Long work in slices, so that the page never freezes; no Worker, which a single file or a frame may forbid.

const SLICE_MS = 14
const channel = new MessageChannel()
const waiting = []
channel.port1.onmessage = () => waiting.shift()?.()
let begun = 0

/** Give the page its turn, if this slice has lasted long enough. */
export function pause() {
  if (performance.now() - begun < SLICE_MS) return undefined
  return new Promise((resolve) => {
    waiting.push(() => {
      begun = performance.now()
      resolve()
    })
    channel.port2.postMessage(0)
  })
}
