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

let made = 0

/** An id that no other element of the page has. */
export const freshId = (stem) => `lora-${stem}-${++made}`

/** Call `work` once things have been quiet for `ms`; the last arguments win. */
export function settle(work, ms) {
  let timer
  return (...given) => {
    clearTimeout(timer)
    timer = setTimeout(() => work(...given), ms)
  }
}
