import { h } from './dom.js'

const MOST_ROWS = 260 // a longer table is slow to lay out; the CSV holds every row

/** A table of numbers: `cut` is said below it when rows are left out. */
export function table({ head, rows }, cut) {
  const line = ([first, ...others]) =>
    h('tr', {}, h('th', { scope: 'row' }, first), ...others.map((cell) => h('td', {}, cell)))
  const top = h('tr', {}, ...head.map((cell) => h('th', { scope: 'col' }, cell)))
  const body = h('tbody', {}, ...rows.slice(0, MOST_ROWS).map(line))
  const element = h('table', {}, h('thead', {}, top), body)
  return rows.length > MOST_ROWS ? [element, h('p', {}, cut)] : [element]
}
