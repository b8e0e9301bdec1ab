// When does a reader see the first point? `benchFirstPoint` resolves to the milliseconds from the click on Train to the end
// of the frame that paints a curve of the lab. `watchFirstPoint` is called before the click.
globalThis.watchFirstPoint = () => {
  const inside = (root) => [root, ...[...root.querySelectorAll('*')].flatMap(({ shadowRoot }) => (shadowRoot ? inside(shadowRoot) : []))]
  const painted = () => inside(document).some((root) => root.querySelector('.lora-lab .charts .curve.kept[d]'))
  globalThis.benchFirstPoint = new Promise((resolve, reject) => {
    setTimeout(reject, 60000, new Error('no curve is painted'))
    const { port1, port2 } = new MessageChannel()
    let start
    document.addEventListener('click', () => (start = performance.now()), { capture: true, once: true })
    port1.onmessage = () => resolve(performance.now() - start)
    const look = () => (painted() ? port2.postMessage(0) : requestAnimationFrame(look))
    look()
  })
}
