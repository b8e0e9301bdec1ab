import { button } from './controls.js'
import { freshId, h } from './dom.js'

/** Hand the reader a file made in the browser. */
export function download(name, type, text) {
  const link = h('a', { href: URL.createObjectURL(new Blob([text], { type })), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}

const quoted = (cell) => (/[",\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : cell)

/** Rows of cells as comma-separated lines. */
export const csv = (rows) => rows.map((cells) => Array.from(cells, quoted).join(',')).join('\n') + '\n'

/** A table as comma-separated lines. */
export const asCsv = ({ head, rows }) => csv([head, ...rows])

/** A read-only text with a button that copies it; where the browser forbids copying, the text is selected instead. */
export function copyable(label, words) {
  const id = freshId('copy')
  const text = h('textarea', { id, readonly: true, rows: 2, spellcheck: 'false' })
  const said = h('span', { class: 'said', role: 'status' })
  const copy = button(
    words.copy,
    async () => {
      text.select()
      try {
        await navigator.clipboard.writeText(text.value)
        said.textContent = words.copied
      } catch {
        said.textContent = words.selected
      }
    },
    { 'aria-describedby': id },
  )
  const element = h('div', { class: 'copyable' }, h('label', { for: id }, label), text, copy, said)
  return {
    element,
    set(value) {
      text.value = value
      text.rows = Math.min(16, value.split('\n').length)
      said.textContent = ''
    },
  }
}

const STYLED = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-opacity',
  'font-family',
  'font-size',
  'text-anchor',
  'visibility',
]

/** A copy of an SVG that looks the same without the page's style sheet. */
function standalone(svg) {
  const copy = svg.cloneNode(true)
  const originals = svg.querySelectorAll('*')
  copy.querySelectorAll('*').forEach((node, i) => {
    const style = getComputedStyle(originals[i])
    for (const name of STYLED) node.setAttribute(name, style.getPropertyValue(name))
  })
  return copy
}

/**
 * One SVG picture of heatmaps and charts below a sentence that says what it shows.
 * heatmaps: [{title, canvas}], charts: [{words: {title}, element}].
 */
export function picture(element, sentence, heatmaps, charts) {
  const drawn = charts
    .filter((chart) => chart.element.clientWidth) // what is not laid out is not drawn
    .map((chart) => ({ title: chart.words.title, svg: chart.element.querySelector('svg') }))
  const NS = 'http://www.w3.org/2000/svg'
  const make = (tag, attributes, text) => {
    const node = document.createElementNS(NS, tag)
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
    if (text) node.textContent = text
    return node
  }
  const style = getComputedStyle(element)
  const type = { 'font-family': 'sans-serif', 'font-size': 13, fill: style.color }
  const cell = 200,
    gap = 16
  const widest = Math.max(0, ...drawn.map(({ svg }) => svg.viewBox.baseVal.width))
  const width = Math.max(heatmaps.length * (cell + gap) + gap, widest + 2 * gap)
  const root = make('svg', { xmlns: NS, width })
  const back = make('rect', { width: '100%', height: '100%', fill: style.backgroundColor })
  root.append(back, make('title', {}, sentence))
  let y = 28
  for (const words of sentence.match(/.{1,110}(\s|$)/g) ?? []) {
    root.append(make('text', { x: gap, y, ...type }, words.trim()))
    y += 18
  }
  heatmaps.forEach(({ title, canvas }, i) => {
    const x = gap + i * (cell + gap)
    const high = Math.min(cell, (cell * canvas.height) / canvas.width)
    root.append(make('text', { x, y: y + 14, ...type }, title))
    root.append(
      make('image', {
        x,
        y: y + 20,
        width: cell,
        height: high,
        href: canvas.toDataURL(),
        preserveAspectRatio: 'none',
        'image-rendering': 'pixelated',
      }),
    )
  })
  y += cell + 44
  for (const { title, svg } of drawn) {
    const copy = standalone(svg)
    const { width: wide, height: high } = svg.viewBox.baseVal
    root.append(make('text', { x: gap, y, ...type }, title))
    for (const [name, value] of Object.entries({ x: gap, y: y + 6, width: wide, height: high }))
      copy.setAttribute(name, value)
    root.append(copy)
    y += high + 30
  }
  root.setAttribute('height', y)
  root.setAttribute('viewBox', `0 0 ${width} ${y}`)
  return new XMLSerializer().serializeToString(root)
}
