import { fromAddress, intoAddress } from '../../widgets/kit/choices.js'
import { fill } from '../../widgets/kit/text.js'
import { loadArrays } from './arrays.js'
import { Model } from './model.js'

const SPARE = 60 // pixels in a copied embed: the line of credit, and letters that another system sets a little larger

const pick = (values, names) => Object.fromEntries(names.map((name) => [name, values[name]]))
const forAttribute = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;')

/** One instrument on a published page: its state comes from the address, its arrays from the page or a file. */
export class Figure {
  constructor(element, address) {
    this.element = element
    this.config = JSON.parse(element.querySelector('script[type="application/json"]').textContent)
    const { state, arrays, datasets, spec, prefix } = this.config
    this.keyedBy = [...spec.keyedBy]
    this.cache = { [this.key(state)]: arrays, ...datasets }
    this.followers = []
    this.open(address)
  }

  /** From now on, tell `then` of this figure whenever its state has changed. */
  onMoved(then) {
    this.followers.push(then)
  }

  moved() {
    for (const then of this.followers) then(this)
  }

  /** Whether a choice changes nothing, given the others. */
  idle(name, values) {
    return this.config.spec.idle[values[this.keyedBy[0]]]?.includes(name)
  }

  /** What the arrays are kept under: a choice that changes nothing counts as its default. */
  key(values) {
    const { choices } = this.config.spec
    const counted = (name) => (this.idle(name, values) ? choices[name].default : values[name])
    return this.keyedBy.map(counted).join('-')
  }

  /** What the teacher switched off in the address, besides what the page did. */
  hidden(address, said) {
    const { prefix, hide, spec } = this.config
    const asked = (address.get(`${prefix}hide`) ?? '').split(',').filter(Boolean)
    const unknown = asked.filter((part) => !spec.parts.includes(part))
    const told = { given: unknown.join(', ').slice(0, 40), allowed: spec.parts.join(', ') }
    if (unknown.length) said.push(fill(spec.text.notAPart, told))
    return [...new Set([...hide, ...asked.filter((part) => spec.parts.includes(part))])]
  }

  /** Bring the figure to life in the state that was asked for, as far as there is data for it. */
  async open(address) {
    const { state, spec, name, prefix } = this.config
    const said = []
    this.hide = this.hidden(address, said)
    const take = (schema) => {
      const asked = fromAddress(schema, address, prefix, spec.text, state)
      said.push(...asked.said)
      return asked.values
    }
    const values = take(pick(spec.choices, this.keyedBy))
    let arrays = await this.arrays(this.key(values))
    if (!arrays) {
      said.push(this.missing(values))
      Object.assign(values, pick(state, this.keyedBy))
      arrays = this.config.arrays
    }
    Object.assign(values, take(this.otherChoices(arrays)))
    this.settled = pick(values, this.keyedBy)
    const notice = said.join(' ')
    const { later = '' } = this.config
    this.model = new Model({ ...values, spec, arrays, notice, later, hide: this.hide, links: {} })
    this.model.onSaved = (names) => this.saved(names)
    const place = this.element.querySelector('.instrument-place')
    globalThis[`lora_${name}`].default.render({ model: this.model, el: place })
    this.element.classList.add('live')
    this.moved()
  }

  /** The choices that need no other arrays; of these arrays r can be k at most. */
  otherChoices({ k }) {
    const { choices } = this.config.spec
    const others = pick(
      choices,
      Object.keys(choices).filter((name) => !this.keyedBy.includes(name)),
    )
    if (others.r?.bounds) others.r = { ...others.r, bounds: [others.r.bounds[0], k] }
    return others
  }

  /** The arrays under a key: in the page, or in a file (one of `keys`, or any where a server makes them); else null. */
  async arrays(key) {
    const { files, name, keys } = this.config
    if (this.cache[key]) return this.cache[key]
    if (!files || (keys && !keys.includes(key))) return null
    this.cache[key] = await loadArrays(files, name, key)
    return this.cache[key]
  }

  missing(values) {
    const given = this.keyedBy
      .filter((name) => !this.idle(name, values))
      .map((name) => values[name])
      .join(', ')
    return fill(this.config.spec.text.missing, { given, have: this.config.have })
  }

  /** The reader made a choice. */
  async saved(names) {
    if (names.some((name) => this.keyedBy.includes(name))) await this.change()
    this.moved()
  }

  /** Fetch the arrays of another choice; go back to what there was if there are none. */
  async change() {
    const values = pick(this.model.values, this.keyedBy)
    const arrays = await this.arrays(this.key(values))
    if (this.key(this.model.values) !== this.key(values)) return // the reader has gone on meanwhile
    if (arrays) {
      this.settled = values
      this.model.put({ notice: '', arrays })
    } else {
      this.model.put({ notice: this.missing(values), ...this.settled })
      this.model.put({ arrays: { ...this.model.values.arrays } }) // the instrument waits for arrays: the old ones again
    }
  }

  /** Make the choices that a phrase of the text names: those that ask for other arrays first, then the others. */
  async set(query) {
    if (!this.model) return
    const asked = new URLSearchParams(query)
    const take = (schema) => fromAddress(schema, asked, '', this.config.spec.text, this.state()).values
    const keyed = take(pick(this.config.spec.choices, this.keyedBy))
    if (this.keyedBy.some((name) => keyed[name] !== this.model.values[name])) {
      this.model.put(keyed)
      await this.change()
    }
    this.model.put(take(this.otherChoices(this.model.values.arrays)))
    this.moved()
  }

  /** Light the controls of these choices, or no longer. */
  light(query, on) {
    for (const name of new URLSearchParams(query).keys())
      this.element.querySelector(`[data-choice="${name}"]`)?.classList.toggle('lit', on)
  }

  state() {
    return pick(this.model.values, Object.keys(this.config.spec.choices))
  }

  /** Write the state into the parameters of an address. */
  write(parameters) {
    if (this.model) intoAddress(this.config.spec.choices, this.state(), parameters, this.config.prefix)
  }

  /** Tell the instrument the link to its state and the code that embeds it; a page inside an attribute has no link. */
  share(address) {
    const link = /^(https?|file):/.test(address) ? address : ''
    if (this.model) this.model.put({ links: { link, ...this.codes() } })
  }

  /** What embeds the figure in its state: a frame of the height that it has now, or a script that follows it. */
  codes() {
    const { embed, script, spec, title } = this.config
    if (!embed) return {}
    const at = new URL(embed, location.href)
    intoAddress(spec.choices, this.state(), at.searchParams, '')
    if (this.hide.length) at.searchParams.set('hide', this.hide.join(','))
    const height = Math.ceil(this.element.offsetHeight) + SPARE
    const [, figure] = /embed\/(.+)\.html$/.exec(embed)
    const told = { title: forAttribute(title), height, figure, query: forAttribute(at.search.slice(1)) }
    const code = (template, address) => fill(template, { ...told, address: forAttribute(address.href) })
    return {
      embed: code(spec.text.embedCode, at),
      script: code(spec.text.scriptCode, new URL(script, location.href)),
    }
  }
}
