// When is a lesson usable? `benchUsable` resolves to the milliseconds since the navigation began, once every instrument
// of the page is live, a move of its slider has changed the number beside it, and the frame that shows this is painted.
globalThis.benchUsable = new Promise((resolve, reject) => {
  setTimeout(reject, 20000, new Error('an instrument of the lesson does not come alive or does not answer its slider'))
  const answers = (figure) => {
    const slider = figure.querySelector('input[type=range]')
    const beside = figure.querySelector('output')
    const before = beside.textContent
    slider.value = slider.valueAsNumber + 1
    slider.dispatchEvent(new Event('input', { bubbles: true }))
    return beside.textContent !== before
  }
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => resolve(performance.now())
  const look = new MutationObserver(() => {
    const figures = [...document.querySelectorAll('figure.instrument')]
    if (document.readyState === 'loading' || !figures.length || !figures.every((f) => f.classList.contains('live'))) return
    look.disconnect()
    if (figures.every(answers)) requestAnimationFrame(() => port2.postMessage(0))
  })
  look.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] })
})
