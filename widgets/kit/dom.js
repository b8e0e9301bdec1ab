/** Make an element: attributes by name, listeners as functions, children as nodes or text (never as markup). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value != null) element.setAttribute(name, value)
  }
  element.append(...children)
  return element
}

/** An id that no other element of the page has; there may be several copies of this module, so the page counts. */
export function freshId(stem) {
  globalThis.lora_ids = (globalThis.lora_ids ?? 0) + 1
  return `lora-${stem}-${globalThis.lora_ids}`
}

/** Call `work` once things have been quiet for `ms`; the last arguments win. */
export function settle(work, ms) {
  let timer
  return (...given) => {
    clearTimeout(timer)
    timer = setTimeout(() => work(...given), ms)
  }
}

/** The letter size of the page in pixels, which a projector makes larger. */
export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize)
