// What runs in the Worker: it finetunes, and tells the page now and then how far it is. The page never waits for it.
//
// The page says {open}, {helpers} or {help}, {ready, every, run}, {start, every, layer, run}, {go}, {pause}, {step},
// {look}, {pace} and {take}; it is told {opened}, {frame}, {looked}, {taken}, {over} and {failed}. `run` counts the
// runs, so that news of one that the reader has left is known as such. {dial} asks what the model can do with more or
// less of what was learned: {dialled}.

import { Native } from './native.js'
import { files } from './peft.js'
import { Run } from './run.js'
import { Helper, help } from './shares.js'

export { Native, Run, files }
export * from './world.js'

const CHUNK_MS = 24 // of training, between two looks into the letter box
const FRAME_MS = 90 // between two pictures

class Bench {
  constructor(tell) {
    Object.assign(this, { tell, pace: Infinity, going: false, news: [], told: 0, helpers: [] })
    const { port1, port2 } = new MessageChannel() // comes back at once, where a timer waits
    port1.onmessage = () => this.inTurn(() => this.work())
    this.again = () => port2.postMessage(0)
    this.turn = Promise.resolve()
  }

  /** Do one thing after the other, even where one waits for another Worker. */
  inTurn(work) {
    this.turn = this.turn.then(work).catch(({ message }) => this.tell({ failed: message }))
  }

  async open({ modules, base, sizes }) {
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
    const module = modules.map(bytes).find((each) => WebAssembly.validate(each))
    if (!module) throw new Error('simd')
    this.native = await Native.load(module, bytes(base), sizes)
    this.tell({ opened: true })
  }

  make(config, every, id) {
    Object.assign(this, { going: false, id, run: null, news: [] })
    this.run = new Run(this.native, config, every, this.helpers)
    this.helpers.forEach((helper, i) => helper.start(config, id, i + 1, 1 + this.helpers.length))
  }

  /** Make a run that may be asked for, and look at what the base can do, so that nobody waits for it then. */
  ready({ ready, every, run }) {
    if (this.id === run) return // made again under one number, the Workers' shares of both would be counted
    try {
      this.make(ready, every, run)
      this.run.lookAhead()
    } catch {
      this.id = null // why it cannot be is told when it is asked for
    }
  }

  start({ start, every, layer, run }) {
    if (this.id !== run) this.make(start, every, run)
    this.layer = layer
    if (start.from) {
      this.news.push({ evaluation: this.run.evaluate(0) }, { evaluation: this.run.measure() }) // the base, and it
      this.run.before = null // at its first step nothing is new
    }
    this.frame()
    this.told = 0 // a first step is shown at once
  }

  go() {
    if (this.going || this.run.over) return
    this.going = true
    this.due = performance.now()
    this.again()
  }

  pause() {
    this.going = false
    this.frame()
  }

  /** One step, and its picture. */
  async one() {
    this.going = false
    if (!this.run.over) await this.advance()
    this.frame()
  }

  async advance() {
    this.news.push(await this.run.advance())
  }

  async work() {
    if (!this.going) return
    const begun = performance.now()
    if (this.pace < Infinity) {
      if (begun < this.due) return void setTimeout(this.again, this.due - begun)
      this.due = Math.max(begun, this.due + 1000 / this.pace)
      await this.advance()
    } else
      do await this.advance()
      while (!this.run.over && performance.now() < begun + CHUNK_MS)
    if (this.run.over) this.going = false
    if (this.run.over || performance.now() > this.told + FRAME_MS) this.frame()
    if (this.going) this.again()
  }

  /** Tell what happened since the last time. */
  frame() {
    const { id, run, news, layer } = this
    if (!run) return
    this.told = performance.now()
    if (run.over && !run.diverged && !run.ended) {
      run.ended = true
      news.push({ step: run.step, evaluation: run.measure() })
    }
    const numbers = this.native.values.length
    this.tell({ frame: { run: id, news, looked: run.look(layer), seconds: run.seconds, numbers } })
    this.news = []
    if (run.over) this.tell({ over: { run: id, diverged: Boolean(run.diverged) } })
  }

  look({ layer, step }) {
    this.layer = layer
    this.tell({ looked: { run: this.id, ...this.run.look(layer, step) } })
  }

  dial({ strength, step }) {
    const evaluation = this.run.backAt(step, () => this.run.evaluate(strength))
    this.tell({ dialled: { run: this.id, ...evaluation, step, strength } })
  }
}

/** Answer letters in the order in which they come. */
function serve(scope) {
  const bench = new Bench((told) => scope.postMessage(told))
  const does = {
    open: ({ open }) => bench.open(open),
    helpers: ({ helpers }) => (bench.helpers = helpers.map((port) => new Helper(port))),
    help: ({ help: port }) => help(bench.native, port),
    ready: (letter) => bench.ready(letter),
    start: (letter) => bench.start(letter),
    go: () => bench.go(),
    pause: () => bench.pause(),
    step: () => bench.one(),
    look: ({ look }) => bench.look(look),
    dial: ({ dial }) => bench.dial(dial),
    pace: ({ pace }) => (bench.pace = pace || Infinity),
    take: () => bench.tell({ taken: files(bench.run) }),
  }
  scope.onmessage = ({ data }) => bench.inTurn(() => does[Object.keys(data)[0]](data))
}

if (typeof WorkerGlobalScope !== 'undefined') serve(globalThis)
