// When does a reader see her model learn? `benchFirstChange` resolves to the milliseconds from the click on Finetune to the
// end of the frame that shows a first step. `watchFirstChange` is called before the click.
globalThis.watchFirstChange = () => {
  const root = document.querySelector('.lora-finetune')
  globalThis.benchFirstChange = new Promise((resolve, reject) => {
    setTimeout(reject, 60000, new Error('no step was made'))
    const { port1, port2 } = new MessageChannel()
    let start
    document.addEventListener('click', () => (start = performance.now()), { capture: true, once: true })
    port1.onmessage = () => resolve(performance.now() - start)
    const look = () => (Number(root.dataset.step) >= 1 ? port2.postMessage(0) : requestAnimationFrame(look))
    look()
  })
}

/** Let ticks move the slider of another figure, the first one in there. */
globalThis.driveBeside = (selector) => {
  const slider = document.querySelector(`${selector} input[type=range]`)
  globalThis.benchDriver = {
    move(value) {
      slider.value = value
      slider.dispatchEvent(new Event('input', { bubbles: true }))
    },
    shown: () => new Promise(requestAnimationFrame),
  }
  return Number(slider.max)
}
