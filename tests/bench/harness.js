// Measure ticks, the same way on every page. A tick begins when the reader's move reaches the page and ends when the
// frame that shows it has been painted: a message posted from an animation frame arrives once that frame has run its
// scripts, style, layout and paint.
//
// A page's driver is {move(value), shown(value)}: `move` does what the page's slider does, and the promise of `shown`
// resolves in the animation frame that paints the result. Defined by the page itself (Panel), else the one below.
{
  const PATIENCE_MS = 20000

  const plain = {
    find: () => document.querySelector('input[type=range]'),
    move(value) {
      const slider = plain.find()
      slider.value = value
      slider.dispatchEvent(new Event('input', { bubbles: true }))
    },
    shown: () => new Promise(requestAnimationFrame),
  }

  const { port1, port2 } = new MessageChannel()
  const frameEnd = () => new Promise((resolve) => {
    port1.onmessage = () => resolve(performance.now())
    port2.postMessage(0)
  })

  const late = (value) => new Promise((_, reject) => {
    setTimeout(reject, PATIENCE_MS, new Error(`nothing was painted for r = ${value}`))
  })

  /** ticks: [[value, pause in ms]]; gives the milliseconds of each. The pause comes before the move. */
  globalThis.measureTicks = async (ticks) => {
    const driver = globalThis.benchDriver ?? plain
    const taken = []
    for (const [value, pause] of ticks) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      const start = performance.now()
      const shown = driver.shown(value)
      driver.move(value)
      await Promise.race([shown, late(value)])
      taken.push((await frameEnd()) - start)
    }
    return taken
  }
}
