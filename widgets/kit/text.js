import { format } from './d3.js'

const GAP = /\{(\w+)(?::([^{}]*))?\}/g

/**
 * Fill the gaps `{name}` and `{name:spec}` of a template. The specs are those that Python's format() and d3-format
 * share, so that Python and the browser write the same sentence. A gap without a value stays as it is.
 */
export function fill(template, values) {
  return template.replace(GAP, (gap, name, spec) => {
    if (!(name in values)) return gap
    return spec ? format(spec)(values[name]) : String(values[name])
  })
}

/** A number as a reader wants it beside a cell: three digits that count. */
export const short = format('.3~g')
