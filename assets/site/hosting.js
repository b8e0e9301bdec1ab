// What every page with figures does, also one that is a single file: figures come to life, their state stands in the
// address, and a page around this one learns its height.

import { settle } from '../../widgets/kit/dom.js'
import { Figure } from './figure.js'
import { follows } from './view.js'

const ADDRESS_MS = 250 // browsers refuse more than about a hundred address changes in half a minute

/** The figures of the page, in the state that its address asks for. */
export function brought(address) {
  const elements = [...document.querySelectorAll('figure.instrument:has(> script)')]
  return elements.map((element) => new Figure(element, address))
}

/** Keep the whole state of the page in its address, defaults included, from the first change on. */
export function follow(figures) {
  let touched = false
  const write = settle(() => {
    const url = new URL(location.href)
    for (const figure of figures) figure.write(url.searchParams)
    for (const figure of figures) figure.share(url.href)
    if (!touched) return
    try {
      history.replaceState(null, '', url)
    } catch {
      // a sandboxed frame may not change its address
    }
  }, ADDRESS_MS)
  for (const figure of figures) figure.onMoved(write)
  for (const event of ['pointerdown', 'keydown'])
    addEventListener(event, () => (touched = true), { once: true })
}

/** Frames of ours on this page tell their height; ours is told to the page around us, whose colours we follow. */
export function heights() {
  addEventListener('message', ({ source, data }) => {
    if (source === parent && parent !== window && typeof data?.loraTheme === 'string') follows(data.loraTheme)
    if (!Number.isFinite(data?.loraHeight)) return
    for (const frame of document.querySelectorAll('iframe.live-frame')) {
      if (frame.contentWindow === source) frame.style.height = `${data.loraHeight}px`
    }
  })
  if (parent === window) return
  const height = () => Math.ceil(document.body.getBoundingClientRect().height)
  new ResizeObserver(() => parent.postMessage({ loraHeight: height() }, '*')).observe(document.body)
}
