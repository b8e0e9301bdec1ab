import { format as formatted } from 'd3-format'

const GAP = /\{(\w+)(?::([^{}]*))?\}/g
const NUMBER = /(\d[\d,]*)(?:\.(\d+))?(%?)/g // as d3-format and Python's format() write it
const DECIMAL = /^(?:\d\.\d+|\d+\.(?:\d\d?|\d{4,}))$/ // a number that came as text (text.py)

// How the language of the page writes numbers (languages.py): what stands before decimals, between thousands, behind a
// percentage, and from how many digits on thousands are set apart. Nothing is said where that is as in English.
const language = JSON.parse(globalThis.document?.documentElement.dataset.numbers ?? 'null')
let plain = false

/** A text in which numbers are written as in English, with the numbers as the language of the page writes them. */
export function written(text) {
  if (!language || plain) return text
  const [decimal, group, percent, grouped] = language
  return text.replace(NUMBER, (_, whole, decimals, share) => {
    const few = whole.replaceAll(',', '').length < grouped
    return (
      whole.replaceAll(',', few ? '' : group) + (decimals ? decimal + decimals : '') + (share ? percent : '')
    )
  })
}

/** What `make` returns, made without the language's way with numbers: files and code are the same everywhere. */
export function plainly(make) {
  const before = plain
  plain = true
  try {
    return make()
  } finally {
    plain = before
  }
}

/** Like d3-format's, in the language of the page. */
export const format = (spec) => {
  const english = formatted(spec)
  return (value) => written(english(value))
}

/**
 * Fill the gaps `{name}` and `{name:spec}` of a template. The specs are those that Python's format() and d3-format
 * share, so that Python and the browser write the same sentence. A gap without a value stays as it is.
 */
export function fill(template, values) {
  return template.replace(GAP, (gap, name, spec) => {
    if (!(name in values)) return gap
    const value = values[name]
    if (spec) return format(spec)(value)
    const text = String(value)
    return DECIMAL.test(text) ? written(text) : text
  })
}

/** A number as a reader wants it beside a cell: three digits that count. */
export const short = format('.3~g')
