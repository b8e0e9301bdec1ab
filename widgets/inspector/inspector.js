import { Chart } from '../kit/chart.js'
import { abreast, button } from '../kit/controls.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { table } from '../kit/table.js'
import { fill, format } from '../kit/text.js'
import { STORED, beside } from './base.js'
import { Cells, cellTold } from './cells.js'
import { compared } from './compared.js'
import { TARGETS, converted, filesOf, planned } from './deeds.js'
import { EPSILON, pointing } from './directions.js'
import { findings } from './doctor.js'
import { given, modelConfig } from './given.js'
import { whereIs } from './keys.js'
import { energyOf, measures } from './linear.js'
import { WAYS, merged } from './merged.js'
import { noiseBand } from './noise.js'
import { measured, opened } from './opened.js'
import { NotOpened, told } from './refused.js'
import { reported } from './report.js'
import { RUNTIMES, audits, ownScale } from './scales.js'

const ROOM = 1.05 // above the highest value
const ACCEPTED = '.safetensors,.json,.zip,.gguf,.bin,.pt'
const EVERY_MS = 300 // between two pictures of the progress
const [MOST_AUDITS, MOST_NAMES] = [8, 4]
const LITTLE = 1e-5 // of the energy that a merge loses
const NAME = 30 // letters of a layer's name in the table of scales: its end tells most
const RANDOM = ['lora', 'adalora', 'embedding', 'tucker', 'mlx', 'gguf'] // kinds that are one product of two factors
const NUMPY = ['F64', 'F32', 'F16'] // that its arrays hold
const LOOSE = ['vector', 'saved', 'base', 'unmatched', 'half', 'misfit'] // kinds of notes: what no cut file holds
const scaleText = format('.4~g')
const sizeText = (bytes) =>
  bytes < 1e6 ? `${format('.1~f')(bytes / 1e3)} kB` : `${format('.1f')(bytes / 1e6)} MB`
const span = (values) => {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return low === high ? scaleText(low) : `${scaleText(low)}–${scaleText(high)}`
}
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / (values.length || 1)

/** What is in an adapter: of an example, or of the files that the reader brings. */
class Inspector extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:example', () => this.showExample())
    model.on('change:layer', () => this.own || this.pick(model.get('layer')))
    for (const name of ['measure', 'cut', 'amount']) model.on(`change:${name}`, () => this.draw())
    this.showExample()
  }

  build() {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers('example', 'measure', 'cut', 'amount')
    this.layerChoice = this.choiceOfLayer()
    this.note = h('p', { class: 'note' })
    this.cells = new Cells(
      text.cells,
      (name) => this.chosen(name),
      (name) => this.point(name),
    )
    this.deepest = h('p', { class: 'note' })
    this.pointed = h('p', { class: 'probe' })
    this.charts = {
      s: new Chart(
        { ...text.charts.s, title: '' },
        { format: format('~g'), choose: () => {}, probe: (i) => this.probe(i) },
      ),
    }
    this.readouts = new Readouts(text)
    this.scales = h('div', { class: 'scales' })
    this.odd = h('ul', { class: 'odd' })
    const { example, measure, cut, amount } = this.controls
    frame.root.append(
      ...frame.part('open', this.zone(example)),
      frame.sentence,
      this.note,
      ...frame.part('scales', h('section', {}, h('h4', {}, text.scales.title), this.scales)),
      ...frame.part(
        'cells',
        h('div', { class: 'controls' }, measure.element, this.deepest),
        this.cells.element,
        this.pointed,
      ),
      ...frame.part(
        'spectrum',
        h('div', { class: 'controls' }, this.layerChoice.element),
        this.readouts.element,
        h('div', { class: 'charts' }, this.charts.s.element),
      ),
      ...frame.part('doctor', h('section', {}, h('h4', {}, text.doctor.title), this.odd)),
      ...frame.part('cut', h('section', {}, h('h4', {}, text.cut.title), ...this.cutting(cut, amount))),
      ...frame.part('compare', this.comparing()),
      ...frame.part('base', this.basing()),
      ...frame.part('merge', this.merging()),
    )
    frame.root.addEventListener('dragover', (event) => event.preventDefault())
    frame.root.addEventListener('drop', (event) => this.dropped(event))
  }

  /** Where files are given. */
  zone(example) {
    const { open } = this.text
    this.files = this.chooser(open.label, { accept: ACCEPTED, multiple: true }, (files) =>
      this.openFiles(files),
    )
    this.folder = this.chooser(open.folder, { webkitdirectory: true }, (files) => this.openFiles(files))
    this.progress = h('progress', { max: 1, value: 0, 'aria-label': open.progress, hidden: true })
    this.back = button(open.close, () => this.close())
    return h(
      'div',
      { class: 'zone' },
      h('div', { class: 'controls' }, this.files.element, this.folder.element, example.element, this.back),
      h('p', { class: 'note' }, open.drop),
      this.progress,
    )
  }

  /** A native chooser of files with its label: {element, input}. */
  chooser(label, attributes, given) {
    const id = freshId('files')
    const change = () => {
      const files = [...input.files]
      input.value = ''
      if (files.length) given(files)
    }
    const input = h('input', { id, type: 'file', change, ...attributes })
    return { element: h('div', { class: 'control' }, h('label', { for: id }, label), input), input }
  }

  choiceOfLayer() {
    const id = freshId('layer')
    const input = h('select', { id, change: () => this.chosen(input.value) })
    const element = h(
      'div',
      { class: 'control select' },
      h('label', { for: id }, this.text.layerLabel),
      input,
    )
    element.dataset.choice = 'layer'
    return { element, input }
  }

  /** Files and folders that are dropped. */
  async dropped(event) {
    const { items, files } = event.dataTransfer
    if (!files.length) return
    event.preventDefault()
    const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
    const given = entries.some((entry) => entry.isDirectory) ? await inside(entries) : [...files]
    this.openFiles(given)
  }

  /** An adapter of which the page has the spectra. */
  showExample() {
    const { arrays, model } = this
    const { label, note, config, adapter } = arrays.examples[model.get('example')]
    const { layers, snippet } = arrays.adapters[adapter]
    this.own = null
    this.turn = (this.turn ?? 0) + 1 // what is being read is no longer wanted
    const { r } = config
    const about = {
      label,
      config,
      snippet,
      format: 'PEFT LoRA',
      metadata: {},
      notes: [],
      parts: new Set(),
      saved: false,
    }
    about.layers = layers.map(({ name, shape, s }) => {
      const numbers = r * (shape[0] + shape[1])
      const layer = {
        name,
        module: name,
        ...whereIs(name),
        shape,
        r,
        numbers,
        bytes: 4 * numbers,
        dtype: 'F32',
      }
      Object.assign(layer, {
        kind: 'lora',
        spelling: 'peft',
        wrapped: true,
        adapter: '',
        alpha: null,
        parts: {},
      })
      const values = Float64Array.from(s)
      return { ...layer, s: values, ...measures(values), scale: ownScale(layer, about) }
    })
    this.about = about
    this.note.textContent = note
    this.note.hidden = false
    this.controls.example.input.value = model.get('example')
    this.progress.hidden = true
    this.frame.say(model.get('notice'))
    this.started()
  }

  close() {
    this.showExample()
    this.files.input.focus()
  }

  /** Open what the reader gives. */
  async openFiles(files) {
    const turn = (this.turn += 1)
    const { text } = this
    const wanted = () => this.turn === turn
    try {
      const about = await opened(files)
      if (!wanted()) return
      const [{ name }] = about.weights
      const label =
        files.length > 2 ? fill(text.open.several, { name: told(name), more: files.length - 1 }) : told(name)
      this.about = { ...about, label }
      this.own = { done: 0, made: '' }
      this.note.hidden = true
      this.frame.say('')
      this.progress.hidden = false
      this.started()
      await measured(this.about, (done, all) => this.advanced(done, all, turn), wanted)
    } catch (error) {
      if (wanted()) this.refuse(error, files)
    } finally {
      if (wanted()) this.progress.hidden = true
    }
  }

  advanced(done, all, turn) {
    if (this.turn !== turn) return
    this.own.done = done
    this.progress.value = done / all
    const now = performance.now()
    if (done < all && now - (this.drawn ?? 0) < EVERY_MS) return
    this.drawn = now
    this.draw()
  }

  /** Say why files are not opened; what was shown stays. */
  refuse(error, files) {
    this.frame.say(this.refusal(error, files[0]?.name ?? ''))
  }

  /** Why something is not done. */
  refusal(error, name) {
    const { refused, methods } = this.text
    if (!(error instanceof NotOpened)) return fill(refused.unreadable, { name: told(name) })
    const { kind } = error.values
    return fill(refused[error.reason], { ...error.values, kind: methods[kind] ?? kind })
  }

  /** Another adapter is here. */
  started() {
    const { about, layerChoice, cells, model } = this
    const { layers } = about
    layerChoice.input.replaceChildren(...layers.map(({ name }) => h('option', { value: name }, name)))
    cells.place(layers)
    this.back.hidden = !this.own
    this.other.replaceChildren()
    this.beneath.replaceChildren()
    this.besideBase = this.baseConfig = null
    this.sources = [{ about, weight: 1 }]
    this.listed()
    this.audited()
    this.pick(this.own ? layers[0].name : model.get('layer'))
  }

  /** The reader chose a layer; of an example its name stands in the address. */
  chosen(name) {
    if (this.own) this.pick(name)
    else this.choose('layer', name)
  }

  pick(name) {
    const { layers } = this.about
    const asked = layers.find((layer) => layer.name === name)
    this.layer = asked ?? layers[0]
    this.picked = this.layer.name
    this.draw()
  }

  /** What the rule keeps of each layer. */
  get plan() {
    const known = this.about.layers.filter(({ s }) => s)
    return planned(known, this.model.get('cut'), this.model.get('amount'))
  }

  /** Whether the rule keeps everything. */
  get whole() {
    const [cut, amount] = [this.model.get('cut'), this.model.get('amount')]
    if (cut === 'rank') return this.about.layers.every(({ r }) => r <= amount)
    if (cut === 'all') return true
    return amount === 100 && cut !== 'error'
  }

  /** The noise beside a layer, once it is drawn; of another layer nothing. */
  noiseOf({ shape, r, kind }) {
    if (!RANDOM.includes(kind)) return null
    const key = [...shape, r].join('x')
    this.noises ??= { ...this.arrays.noise }
    if (!(key in this.noises)) {
      this.noises[key] = null
      noiseBand(shape, r).then((band) => {
        this.noises[key] = band
        if (band) this.draw()
      })
    }
    return this.noises[key]
  }

  draw() {
    const { model, controls, text, cells, layer, about } = this
    for (const name of ['measure', 'cut', 'amount']) controls[name].input.value = model.get(name)
    controls.amount.input.disabled = model.get('cut') === 'all'
    const name = model.get('measure')
    const { cell } = text.measures[name]
    const of = (one) => (one.s ? (name === 'share' ? one.r90 / one.r : one[name]) : null)
    const high = cells.shade(about.layers, of, (one) =>
      cellTold(text.cells, one, one.s && cell, this.measuresOf(one)),
    )
    this.deepest.textContent = fill(text.cells.range, { high: scaleText(high) })
    cells.mark(layer.name)
    this.point(null)
    this.layerChoice.input.value = layer.name
    this.drawSpectrum()
    this.examined()
    this.planned()
    this.frame.update()
  }

  /** What is said of the layer that the mouse is over, or of the one that is chosen. */
  point(name) {
    const cell = this.cells.cells.get(name ?? this.layer?.name)
    this.pointed.textContent = cell?.getAttribute('aria-label') ?? ''
  }

  drawSpectrum() {
    const { layer, charts, text } = this
    charts.s.caption.text(fill(text.charts.s.title, layer))
    const { s } = layer
    const noise = s && this.noiseOf(layer)
    const values = this.valuesOf(layer)
    this.readouts.show(values, (template, what) => {
      if (!s || (what === 'random' && !noise)) return null
      return template
    })
    const share = s ? Array.from(s, (value) => value / (layer.norm || 1)) : []
    this.share = share
    this.energy = s ? energyOf(s) : [0]
    const k = Math.max(1, share.length)
    charts.s.draw({
      k,
      y: [0, ROOM * Math.max(share[0] ?? 0, noise?.s[2][0] ?? 0, 0.1)],
      bands: noise
        ? [
            {
              low: noise.s[0],
              middle: noise.s[1],
              high: noise.s[2],
              label: text.charts.s.noise,
              kind: 'control-0',
              shift: 0.5,
              along: 0.6,
            },
          ]
        : [],
      bars: share,
      lines: [],
    })
    charts.s.move(this.kept(layer))
  }

  kept({ name, s }) {
    return this.whole ? (s?.length ?? 0) : (this.plan.kept.get(name) ?? s?.length ?? 0)
  }

  probe(i) {
    if (!this.share?.length) return ''
    const at = Math.min(this.share.length, Math.max(1, i))
    const noise = this.noiseOf(this.layer)
    const values = {
      i: at,
      s: this.share[at - 1],
      energy: this.energy[at],
      noise: noise ? format('.4f')(noise.s[1][at - 1] ?? 0) : '',
    }
    const { probe, probeAlone } = this.text.charts.s
    return fill(noise ? probe : probeAlone, values)
  }

  /** Every number about one layer, what noise does apart. */
  measuresOf(layer) {
    const { name, shape, r, r90, stable, entropy, norm, scale, s } = layer
    return {
      ...{ name, r90, stable, entropy, rank: r, k: s?.length ?? 0, share: r90 / r },
      ...{ norm: scaleText(norm), scale: scaleText(scale), shape: shape.join(' × ') },
    }
  }

  /** The same, and what noise does, which takes a while for a new shape. */
  valuesOf(layer) {
    const noise = layer.s && this.noiseOf(layer)
    return { ...this.measuresOf(layer), noise_r90: noise ? noise.r90 : this.text.scales.none }
  }

  /** Every number that the sentence may use; __init__.py makes the same of an example. */
  values() {
    const { about, own } = this
    const { layers, label } = about
    const found = layers.filter(({ s }) => s).map(({ r90 }) => r90)
    const differ = this.audit.some((each) => each.differ)
    const several = this.audit.some(({ scales }) => scales.filter((scale) => scale !== null).length > 1)
    return {
      ...{ label, format: about.format, layers: layers.length },
      numbers: Math.round(layers.reduce((sum, { numbers }) => sum + numbers, 0)),
      rank: span(layers.map(({ r }) => r)),
      used: mean(found),
      spread: found.length ? span(found) : '',
      scale: span(layers.map(({ scale }) => scale)),
      size: sizeText(layers.reduce((sum, { bytes }) => sum + bytes, 0)),
      dtype: [...new Set(layers.map(({ dtype }) => dtype))].join(', '),
      done: own?.done ?? 0,
      verdict: this.text.verdicts[differ ? 'differ' : several ? 'same' : 'one'],
    }
  }

  sentence() {
    const { own, about, text } = this
    const part = !own ? 'example' : own.done < about.layers.length ? 'reading' : 'own'
    return fill(text.sentences[part], this.values())
  }

  /** Some layers in a few words. */
  manyTold(names) {
    const { about, text } = this
    const { every, some } = text.scales
    if (names.length === about.layers.length) return fill(every, { many: names.length })
    return fill(some, { many: names.length, name: endOf(names[0]) })
  }

  /** The table of scales. */
  audited() {
    const { about, text } = this
    const { scales: words } = text
    const all = (this.audit = audits(about))
    const shown = (scale) => (scale === null ? words.none : scaleText(scale))
    const told_ = ({ scales, differ }) => {
      if (!differ) return words.same
      const sizes = scales.filter((scale) => scale !== null).map(Math.abs)
      const [low, high] = [Math.min(...sizes), Math.max(...sizes)]
      return low
        ? fill(words.differ, { factor: scaleText(high / low) })
        : fill(words.null, { scale: scaleText(high) })
    }
    const line = (each) =>
      h(
        'tr',
        { class: each.differ ? 'differs' : '' },
        h('th', { scope: 'row' }, this.manyTold(each.names)),
        ...each.scales.map((scale) => h('td', {}, shown(scale))),
        h(
          'td',
          { class: 'told' },
          each.scales.filter((scale) => scale !== null).length > 1 ? told_(each) : '',
        ),
      )
    const head = [words.layers, ...RUNTIMES, ''].map((name) => h('th', { scope: 'col' }, name))
    const rest = all.length - MOST_AUDITS
    this.scales.replaceChildren(
      h(
        'div',
        { class: 'scrolled', tabindex: 0, role: 'region', 'aria-label': words.title },
        h(
          'table',
          {},
          h('thead', {}, h('tr', {}, ...head)),
          h('tbody', {}, ...all.slice(0, MOST_AUDITS).map(line)),
        ),
      ),
      ...(rest > 0 ? [h('p', { class: 'note' }, fill(text.doctor.more, { more: rest }))] : []),
    )
  }

  /** What is odd. */
  examined() {
    const { about, text, own } = this
    const { doctor } = text
    if (own && own.done < about.layers.length) return this.odd.replaceChildren()
    const found = findings(about)
    const item = ({ kind, names: all }) =>
      h(
        'li',
        { class: `of-${kind}` },
        h('strong', {}, doctor.kinds[kind]),
        ` (${fill(doctor.found, { many: all.length, names: this.someOf(all) })})`,
      )
    this.odd.replaceChildren(...(found.length ? found.map(item) : [h('li', {}, doctor.well)]))
  }

  /** The rule of the cut, what it leaves, and the buttons. */
  cutting(cut, amount) {
    const { text } = this
    this.left = h('p', { class: 'left', role: 'status' })
    this.written = h('p', { class: 'note', role: 'status' })
    this.taken = h('progress', { max: 1, value: 0, 'aria-label': text.cut.writing, hidden: true })
    this.takers = TARGETS.map((target) => button(text.cut.formats[target], () => this.take(target)))
    return [
      abreast({ cut, amount }),
      this.left,
      h('div', { class: 'buttons' }, ...this.takers),
      this.taken,
      this.written,
    ]
  }

  planned() {
    const { text, own, about } = this
    const ready = own && own.done === about.layers.length
    for (const taker of this.takers) taker.disabled = !ready
    const { ranks, error, before, after } = this.plan
    const out = about.layers.length - ranks.length
    const told = this.whole
      ? [text.cut.whole]
      : ranks.length
        ? [
            fill(text.cut.said, {
              ...{ ranks: span(ranks), error },
              before: sizeText(before),
              after: sizeText(after),
            }),
          ]
        : []
    if (own && out) told.push(fill(text.cut.out, { many: out }))
    if (own && about.layers.some(({ spelling }) => spelling === 'gguf')) told.push(text.cut.llama)
    const loose = about.notes.filter(({ kind }) => LOOSE.includes(kind)).length
    if (loose) told.push(fill(text.cut.loose, { many: loose }))
    this.left.textContent = told.join(' ')
    this.written.textContent = own ? own.made : text.cut.own
  }

  /** Hand the adapter to the reader in a format, as far as the rule keeps it. */
  async take(target) {
    const { about, own, text } = this
    const turn = this.turn
    for (const taker of this.takers) taker.disabled = true
    Object.assign(this.taken, { hidden: false, value: 0 })
    const advanced = (done, all) => (this.taken.value = done / all)
    try {
      const kept = this.whole ? null : this.plan.kept
      const made = await converted(about, target, kept, this.known, advanced)
      if (this.turn !== turn) return
      own.made = this.handedOn(made)
    } catch (error) {
      own.made = this.refusal(error, about.label)
    }
    this.taken.hidden = true
    if (this.turn === turn) this.planned()
  }

  /** What is known of names, and of the base. */
  get known() {
    const { words, llama } = this.arrays
    return { words, llama, base: this.baseConfig }
  }

  /** Give the reader files, and return what is said of them. */
  handedOn({ files, notes }) {
    const { cut } = this.text
    for (const { name, type, pieces } of files) handed(name, type, pieces)
    if (!files.length) return cut.nothing
    const names = files.map(({ name }) => name).join(', ')
    return [fill(cut.made, { names }), ...[...notes].map((note) => cut.notes[note])].join(' ')
  }

  /** Files that are put beside the adapter: what opens under a title. */
  more({ title, label }, shown, given) {
    const { element } = this.chooser(label, { accept: ACCEPTED, multiple: true }, given)
    return h(
      'details',
      { class: 'compare' },
      h('summary', {}, title),
      h('div', { class: 'controls' }, element),
      shown,
    )
  }

  /** A second adapter. */
  comparing() {
    this.other = h('div', {})
    return this.more(this.text.compare, this.other, (files) => this.beside(files))
  }

  /** The base. */
  basing() {
    this.beneath = h('div', {})
    return this.more(this.text.base, this.beneath, (files) => this.onBase(files))
  }

  /** Others that are merged with it. */
  merging() {
    const { merge, cut } = this.text
    const field = (label, attributes, control = 'input') => {
      const id = freshId('merge')
      const input = h(control, { id, ...attributes })
      return { element: h('div', { class: 'control' }, h('label', { for: id }, label), input), input }
    }
    const number = (label, value, min, max) => field(label, { type: 'number', min, max, step: 1, value })
    const way = field(merge.way, { change: () => this.wayShown() }, 'select')
    way.input.append(...WAYS.map((value) => h('option', { value }, merge.ways[value])))
    const [rank, density] = [number(merge.rank, '', 1), number(merge.density, 50, 1, 100)]
    this.ways = { way, rank, density, seed: number(merge.seed, 0, 0) }
    this.mergers = TARGETS.map((target) => button(cut.formats[target], () => this.merge(target)))
    this.some = h('ul', { class: 'sources' })
    this.mergeBar = h('progress', { max: 1, value: 0, 'aria-label': merge.writing, hidden: true })
    this.mergeSaid = h('p', { class: 'note', role: 'status' })
    const shown = h(
      'div',
      {},
      this.some,
      abreast(this.ways),
      h('div', { class: 'buttons' }, ...this.mergers),
      this.mergeBar,
      this.mergeSaid,
      h('p', { class: 'note' }, merge.note),
    )
    this.wayShown()
    return this.more(merge, shown, (files) => this.added(files))
  }

  /** Only what the way needs is asked for. */
  wayShown() {
    const { way, rank, density, seed } = this.ways
    const { value } = way.input
    rank.element.hidden = value === 'concatenation'
    density.element.hidden = !['ties', 'dare'].includes(value)
    seed.element.hidden = value !== 'dare'
  }

  /** The adapters that are merged, each with its weight. */
  listed() {
    const { merge } = this.text
    const item = (source, i) => {
      const name = source.about.label
      const id = freshId('weight')
      const change = ({ target }) => (source.weight = target.value === '' ? NaN : Number(target.value))
      const weight = h('input', { id, type: 'number', step: 'any', value: source.weight, change })
      const leave = () => {
        this.sources.splice(i, 1)
        this.listed()
      }
      return h(
        'li',
        {},
        h('label', { for: id }, fill(merge.weight, { i: i + 1, name })),
        weight,
        ...(i ? [button(fill(merge.remove, { i: i + 1 }), leave)] : []),
      )
    }
    this.some.replaceChildren(...this.sources.map(item))
  }

  async added(files) {
    const { turn, own, text } = this
    this.mergeSaid.textContent = own ? '' : text.compare.own
    if (!own) return
    try {
      const about = await opened(files)
      if (this.turn !== turn) return
      this.sources.push({ about: { ...about, label: told(about.weights[0].name) }, weight: 1 })
      this.listed()
    } catch (error) {
      if (this.turn === turn) this.refuse(error, files)
    }
  }

  /** Hand the reader one adapter made of several. */
  async merge(target) {
    const { turn, own, text, ways, sources, about, mergeBar } = this
    const of = (name) => Number(ways[name].input.value)
    const choice = {
      way: ways.way.input.value,
      rank: ways.rank.input.value === '' ? null : of('rank'),
      density: of('density') / 100,
      seed: of('seed'),
    }
    const whole = choice.rank === null || (Number.isInteger(choice.rank) && choice.rank > 0)
    const fits = choice.density > 0 && choice.density <= 1
    const right = whole && fits && sources.every(({ weight }) => Number.isFinite(weight))
    this.mergeSaid.textContent = !own ? text.compare.own : right ? '' : text.merge.weights
    if (!own || !right) return
    for (const each of this.mergers) each.disabled = true
    Object.assign(mergeBar, { hidden: false, value: 0 })
    try {
      const made = await merged(sources, choice, (done, all) => (mergeBar.value = done / all))
      if (this.turn === turn)
        this.mergeSaid.textContent = this.handedOn(filesOf(made, target, about, this.known))
    } catch (error) {
      if (this.turn === turn) this.mergeSaid.textContent = this.refusal(error, about.label)
    }
    for (const each of this.mergers) each.disabled = false
    mergeBar.hidden = true
  }

  /** A table that may be wider than the page, under its title. */
  wide({ title, head, row }, rows) {
    return h(
      'div',
      { class: 'table', tabindex: 0, role: 'region', 'aria-label': title },
      ...table({ head, rows: textRows({ row }, rows) }, this.text.tableCut),
    )
  }

  async onBase(files) {
    const { text, about, own, turn, beneath } = this
    const { base: words } = text
    if (!own) return beneath.replaceChildren(h('p', {}, text.compare.own))
    const bar = h('progress', { max: 1, value: 0, 'aria-label': words.progress })
    beneath.replaceChildren(bar)
    const asked = (this.asked = files) // who chooses another base no longer wants this one
    const wanted = () => this.turn === turn && this.asked === asked
    try {
      this.baseConfig = (await modelConfig(files)) ?? this.baseConfig
      if (files.every(({ name }) => /\.json$/i.test(name)) && this.baseConfig) {
        const kind = told(this.baseConfig.model_type)
        return beneath.replaceChildren(h('p', {}, fill(words.config, { kind })))
      }
      const { weights } = await given(files)
      const { rows, missing } = await beside(about, weights, (done, all) => (bar.value = done / all), wanted)
      if (!wanted()) return
      const loss = (share) => {
        if (share === null) return text.scales.none
        return share && share < LITTLE ? words.little : fill(words.lost, { share })
      }
      const shown = rows.map(({ size, size_W, factors, lost, ...row }) => ({
        ...row,
        size_W,
        share: size / (size_W || 1),
        factors: factors / (size_W || 1),
        ...Object.fromEntries(STORED.map((format) => [format, loss(lost[format])])),
      }))
      const label = told(weights[0].name)
      const said = { shared: rows.length, layers: about.layers.length, label }
      const left = Object.entries(missing).map(([why, all]) =>
        h('p', { class: 'note' }, fill(words.missing[why], { names: this.someOf(all) })),
      )
      this.besideBase = rows.length
        ? {
            ...words,
            title: text.report.base,
            rows: textRows(words, shown),
            pointed: new Map(),
          }
        : null
      beneath.replaceChildren(
        h('p', {}, rows.length ? fill(words.said, said) : words.none),
        ...(rows.length ? [this.wide(words, shown), h('p', { class: 'note' }, words.note)] : []),
        ...left,
        ...(rows.length ? this.pointer(weights, rows, wanted) : []),
      )
    } catch (error) {
      if (!wanted()) return
      beneath.replaceChildren()
      if (error.reason === 'gguf') this.frame.say(fill(words.gguf, error.values))
      else this.refuse(error, files)
    }
  }

  /** What looks where the change of the chosen layer points. */
  pointer(weights, rows, wanted) {
    const { text, about, besideBase } = this
    const { pointed } = besideBase // what the report says, too
    const words = text.base.pointing
    const bar = h('progress', { max: 1, value: 0, 'aria-label': words.progress, hidden: true })
    const said = h('p', { role: 'status' })
    const looker = button(words.label, async () => {
      const { layer } = this
      const row = rows.find(({ name }) => name === layer.name)
      said.textContent = row ? '' : fill(words.without, layer)
      if (!row) return
      looker.disabled = true
      Object.assign(bar, { hidden: false, value: 0 })
      const advanced = (done, all) => (bar.value = done / all)
      try {
        const found = await pointing(about, layer, weights, row, advanced, wanted)
        said.textContent = found ? this.pointingTold(layer, found) : fill(words.large, layer)
        if (found) pointed.set(layer.name, said.textContent)
      } catch (error) {
        if (wanted()) this.refuse(error, [weights[0]])
      }
      looker.disabled = false
      bar.hidden = true
    })
    return [h('div', { class: 'buttons' }, looker), bar, said]
  }

  pointingTold({ name }, { r, amplification, chance, top, least, most }) {
    const { pointing: words } = this.text.base
    const intruders = least === most ? String(least) : fill(words.between, { least, most })
    return [
      amplification === null
        ? fill(words.nothing, { name })
        : fill(words.said, { name, r, amplification, chance }),
      fill(words.intruders, { top, intruders, epsilon: EPSILON }),
    ].join(' ')
  }

  /** The first of some names, and how many more there are. */
  someOf(all) {
    const some = all.slice(0, MOST_NAMES).join(', ')
    const more = all.length - MOST_NAMES
    return more > 0 ? `${some}, ${fill(this.text.doctor.more, { more })}` : some
  }

  async beside(files) {
    const { text, about, own } = this
    const { compare } = text
    const turn = this.turn
    if (!own) return this.other.replaceChildren(h('p', {}, compare.own))
    const bar = h('progress', { max: 1, value: 0, 'aria-label': text.open.progress })
    this.other.replaceChildren(bar)
    try {
      const second = await opened(files)
      const { rows, only } = await compared(about, second, (done, all) => (bar.value = done / all))
      if (this.turn !== turn) return
      if (!rows.length) return this.other.replaceChildren(h('p', {}, compare.none))
      const cosines = rows.map(({ cosine }) => cosine)
      const said = {
        label: told(second.weights[0].name),
        shared: rows.length,
        cosine: mean(cosines),
        low: Math.min(...cosines),
        high: Math.max(...cosines),
        only: only[0].length,
        other: only[1].length,
      }
      this.other.replaceChildren(
        h('p', {}, fill(compare.said, said)),
        this.wide(compare, rows),
        h('p', { class: 'note' }, compare.note),
      )
    } catch (error) {
      if (this.turn !== turn) return
      this.other.replaceChildren()
      this.refuse(error, files)
    }
  }

  snippet() {
    const { about, own, arrays, layer } = this
    if (!own) return about.snippet
    const { A, B, down, up } = layer.parts
    const [a, b] = [A ?? down, B ?? up]
    const command = fill(arrays.own, { name: about.label })
    if (layer.kind !== 'lora' || !NUMPY.includes(layer.dtype) || !a || a.every || layer.expert) return command
    const [name, first, second] = [about.weights[0].name, a.name, b.name].map((text) => JSON.stringify(text))
    return command + fill(arrays.pair, { name, a: first, b: second })
  }

  table() {
    return this.tableOf(this.about.layers.filter(({ s }) => s).map((layer) => this.valuesOf(layer)))
  }

  get stem() {
    return this.own ? 'adapter' : this.model.get('example')
  }

  saves() {
    return {
      layers: () => ['layers.csv', this.layersCsv()],
      values: () => ['singular-values.csv', this.valuesCsv()],
      picture: () => ['spectrum.svg', this.asPicture()],
      report: () => ['report.html', this.asReport()],
    }
  }

  /** Everything that is shown, as one page that can be sent. */
  asReport() {
    const { about, text, arrays, audit, besideBase: base } = this
    const { report, scales: words } = text
    const some = about.layers.filter(({ s }) => s)
    const { head, rows } = this.table()
    const scales = audit.map((each) => [
      this.manyTold(each.names),
      ...each.scales.map((scale) => (scale === null ? words.none : scaleText(scale))),
      each.differ ? words.not : '',
    ])
    const spectrum = (s) => fill(report.bars, { many: s.length, first: s[0], last: s.at(-1) })
    const tables = [
      { title: words.title, head: [words.layers, ...RUNTIMES, ''], rows: scales },
      { title: report.layers, head, rows, spectra: some.map(({ s }) => s) },
      ...(base ? [{ ...base, told: [...base.pointed.values(), base.note] }] : []),
    ]
    const notes = [...this.odd.children].map(({ textContent }) => textContent)
    return reported(
      { title: about.label, sentence: this.sentence(), notes, tables },
      { ...report, style: arrays.style, bars: spectrum },
    )
  }

  layersCsv() {
    const head = [
      'layer',
      'out',
      'in',
      'rank_paid',
      'r90',
      'stable_rank',
      'entropy_rank',
      'norm',
      'scale',
      ...RUNTIMES,
    ]
    const of = new Map(this.audit.flatMap(({ names, scales }) => names.map((name) => [name, scales])))
    const line = ({ name, shape, r, r90, stable, entropy, norm, scale }) => [
      ...[quoted(name), ...shape, r, r90, stable, entropy, norm, scale],
      ...of.get(name).map((each) => each ?? ''),
    ]
    return csv([head, ...this.about.layers.map(line)])
  }

  valuesCsv() {
    const { layers } = this.about
    const rows = layers.flatMap(({ name, s }) =>
      Array.from(s ?? [], (value, i) => [quoted(name), i + 1, value]),
    )
    return csv([['layer', 'direction', 's'], ...rows])
  }
}

const textRows = ({ row }, rows) => rows.map((each) => row.map((cell) => fill(cell, each)))
const endOf = (name) => (name.length > NAME ? `…${told(name).slice(1 - NAME)}` : told(name))
const quoted = (name) => `"${told(name).replaceAll('"', '""')}"`

/** Give the reader a file of pieces. */
function handed(name, type, pieces) {
  const link = h('a', { href: URL.createObjectURL(new Blob(pieces, { type })), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** The files in folders that were dropped. */
async function inside(entries) {
  const found = []
  for (const entry of entries) {
    if (entry.isFile) found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)))
    else {
      const reader = entry.createReader()
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
        if (!some.length) break
        found.push(...(await inside(some)))
      }
    }
  }
  return found
}

export {
  beside,
  pointing,
  compared,
  converted,
  filesOf,
  given,
  merged,
  measured,
  noiseBand,
  opened,
  planned,
  audits,
  findings,
} // for the tests
export default rendering(Inspector)
