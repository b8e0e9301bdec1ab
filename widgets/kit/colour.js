const STOPS = ['--scale-1', '--scale-2', '--scale-3', '--scale-4', '--scale-5']
const STEPS = 255 // odd, so that zero has a colour of its own

/** The value of a CSS colour variable where `element` stands, as [r, g, b]: of data, so that forced colours leave it. */
function resolve(element, variable) {
  const probe = document.createElement('span')
  probe.style.color = `var(${variable})`
  probe.style.forcedColorAdjust = 'none'
  element.append(probe)
  const [r, g, b] = getComputedStyle(probe)
    .color.match(/[\d.]+/g)
    .map(Number)
  probe.remove()
  return [r, g, b]
}

/** The diverging scale of the page as packed pixels: index 0 is most negative, 127 zero, 254 most positive. */
export function divergingScale(element) {
  const stops = STOPS.map((name) => resolve(element, name))
  const pixels = new Uint32Array(STEPS)
  for (let i = 0; i < STEPS; i++) {
    const place = (i / (STEPS - 1)) * (stops.length - 1)
    const low = Math.min(Math.floor(place), stops.length - 2)
    const part = place - low
    const [r, g, b] = stops[low].map((c, j) => Math.round(c + part * (stops[low + 1][j] - c)))
    pixels[i] = (255 << 24) | (b << 16) | (g << 8) | r // little endian RGBA
  }
  return pixels
}

/** Call `repaint` when the colours of the page change: the system's choice, the reader's switch, printing. */
export function onColours(repaint) {
  const asked = ['(prefers-color-scheme: dark)', '(forced-colors: active)', 'print'].map((query) =>
    matchMedia(query),
  )
  const watch = new MutationObserver(repaint)
  watch.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'data-view'] })
  for (const media of asked) media.addEventListener('change', repaint)
  return () => {
    watch.disconnect()
    for (const media of asked) media.removeEventListener('change', repaint)
  }
}
