import { fill } from './text.js'

/**
 * The reader's choices of one instrument and their spelling in an address. A schema comes from Python:
 * {name: {type: 'integer', default, bounds} | {type: 'select', default, options} | {type: 'pattern', default, pattern}}
 */

/** One value from an address: {value, said}; `said` tells in a sentence what was not possible, or is null. */
function read(rule, text, words) {
  const told = { name: rule.label, given: text.slice(0, 40) }
  if (rule.type === 'integer') {
    const [low, high] = rule.bounds
    const given = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : NaN
    const value = Number.isNaN(given) ? rule.default : Math.min(high, Math.max(low, given))
    return { value, said: value === given ? null : fill(words.outOfRange, { ...told, low, high, value }) }
  }
  const possible =
    rule.type === 'select'
      ? rule.options.some(([v]) => v === text)
      : new RegExp(`^(?:${rule.pattern})$`).test(text)
  if (possible) return { value: text, said: null }
  const allowed = rule.type === 'select' ? rule.options.map(([v]) => v).join(', ') : rule.allowed
  return { value: rule.default, said: fill(words.notAChoice, { ...told, allowed, value: rule.default }) }
}

/** Read all choices from search parameters; `prefix` stands before each name, `defaults` is what the page starts with. */
export function fromAddress(schema, parameters, prefix, words, defaults) {
  const values = {}
  const said = []
  for (const [name, rule] of Object.entries(schema)) {
    const text = parameters.get(prefix + name)
    const got = text === null ? { value: defaults[name], said: null } : read(rule, text, words)
    values[name] = got.value
    if (got.said) said.push(got.said)
  }
  return { values, said }
}

/** Write all choices, defaults included, into search parameters. */
export function intoAddress(schema, values, parameters, prefix) {
  for (const name of Object.keys(schema)) parameters.set(prefix + name, values[name])
  return parameters
}
