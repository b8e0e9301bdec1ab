import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { freshId, h, settle } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Router, wordsOf } from './router.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const CHOSEN = ['examples', 'rule']
const EVERY_MS = 900
const REASONS_MS = 100 // the table of reasons follows with this delay: a tick must not wait for it
const ROOM = 1.12 // above the highest value: names stand there

/** A square table of shaded cells, made once: `show(cell)` fills it, with `cell(i, j)` -> {said, share}. */
class Heat {
  constructor(title, corner, labels) {
    this.cells = labels.map((_, i) => labels.map((_, j) => h('td', { class: i === j ? 'right' : 'wrong' })))
    const head = [corner, ...labels].map((label) => h('th', { scope: 'col' }, label))
    const row = (label, i) => h('tr', {}, h('th', { scope: 'row' }, label), ...this.cells[i])
    const table = h(
      'table',
      { class: 'heat' },
      h('caption', {}, title),
      h('thead', {}, h('tr', {}, ...head)),
      h('tbody', {}, ...labels.map(row)),
    )
    this.element = h('div', { class: 'scrolled', tabindex: 0, role: 'region', 'aria-label': title }, table)
  }

  show(cell) {
    this.cells.forEach((row, i) =>
      row.forEach((element, j) => {
        const { said, share } = cell(i, j)
        element.textContent = said
        element.style.setProperty('--share', share)
      }),
    )
  }
}

/** Prompts are sent to an adapter by their first words; mistakes are counted and priced. */
class Routing extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.load())
    model.on('change:prompt', () => {
      if (this.cleaned() !== model.get('prompt')) this.field.value = model.get('prompt')
      this.answer()
    })
    this.load()
  }

  get words() {
    return this.stepper.value
  }

  build({ n, prompt }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers(...CHOSEN)
    this.stepper = this.slider('n', n.label, { everyMs: EVERY_MS })
    this.stepper.set({ low: 0, high: this.arrays.k, value: this.model.get('n'), start: 0 })
    const chart = (name, spec) =>
      new Chart(text.charts[name], {
        format: format(spec),
        choose: (place) => this.stepper.go(place),
        probe: (place) => fill(text.charts[name].probe, this.values(place)),
      })
    this.charts = { right: chart('right', '.0%'), cost: chart('cost', '.2f') }
    const { right, cost } = this.charts
    this.confusion = this.heat(text.confusion)
    this.extra = this.heat(text.extra)
    const id = freshId('prompt')
    this.field = h('input', {
      id,
      type: 'text',
      maxlength: this.arrays.longest,
      autocomplete: 'off',
      spellcheck: 'false',
      value: this.model.get('prompt'),
      input: () => this.answer(),
      change: () => this.choose('prompt', this.cleaned()),
    })
    this.told = h('p', { class: 'verdict-of-prompt', role: 'status' })
    this.giveReasons = settle((...why) => this.reasons.replaceChildren(this.because(...why)), REASONS_MS)
    this.reasons = h('div', { class: 'scrolled', tabindex: 0, role: 'region', 'aria-label': prompt.label })
    frame.root.append(
      ...frame.part('classifier', abreast(this.controls)),
      this.stepper.element,
      ...frame.part('charts', h('div', { class: 'charts' }, right.element, cost.element)),
      ...frame.part('mistakes', h('div', { class: 'mistakes' }, this.confusion.element, this.extra.element)),
      frame.sentence,
      ...frame.part(
        'prompt',
        h(
          'div',
          { class: 'prompt' },
          h('label', { for: id }, text.prompt.label),
          this.field,
          this.told,
          this.reasons,
        ),
      ),
    )
  }

  /** The prompt as it can stand in a link: a sign that is in no word of ours is a space. */
  cleaned() {
    const allowed = new RegExp(this.arrays.signs)
    return [...this.field.value].map((sign) => (allowed.test(sign) ? sign : ' ')).join('')
  }

  get routed() {
    return this.arrays.routed[CHOSEN.map((name) => this.model.get(name)).join('-')]
  }

  get best() {
    return this.arrays.best[this.model.get('rule')]
  }

  /** Another classifier, or another rule: all are here. */
  load() {
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    const { words, counts, extra } = this.arrays
    this.router = new Router(words, counts[this.model.get('examples')], extra)
    this.draw()
  }

  /** All numbers that a sentence may use; __init__.py makes the same. */
  values(n) {
    const { arrays, routed, best, text, model } = this
    const examples = Number(model.get('examples'))
    const spread = (name) => {
      const [low, shown, high] = routed[name].map((values) => values[n])
      return { [name]: shown, [`${name}_low`]: low, [`${name}_high`]: high }
    }
    return {
      n,
      seen: fill(text.seen[['none', 'one'][n] ?? 'several'], { n }),
      examples,
      learned: fill(text.learned[examples === 1 ? 'one' : 'several'], { examples }),
      tested: arrays.each * arrays.routes.length,
      each: arrays.each,
      never: arrays.never,
      random: arrays.random,
      best_right: best.right[1][n],
      best_cost: best.cost[1][n],
      ...spread('right'),
      ...spread('cost'),
    }
  }

  /** Draw what no tick changes: the curves, and what a mistake costs. */
  draw() {
    const { arrays, charts, routed, best, text } = this
    const words = text.charts
    const curves = (name, kind, along, rules) => {
      const [low, middle, high] = routed[name]
      const top = Math.max(...high, ...rules.map(({ at }) => at.y))
      charts[name].draw({
        k: arrays.k,
        y: [0, top * ROOM],
        bands: [{ low, middle, high, kind: `spread ${kind}` }],
        lines: [
          { values: best[name][1], label: words[name].best, kind: 'control-1', along: along.best },
          { values: middle, label: words[name].curve, kind, along: along.curve },
        ],
        rules,
      })
    }
    const rule = (y, label) => ({ at: { y }, label, kind: 'control-0' })
    curves('right', 'kept', { best: 0.5, curve: 0.75 }, [rule(1 / arrays.routes.length, words.right.random)])
    curves('cost', 'lost', { best: 0.6, curve: 0.4 }, [
      rule(arrays.random, words.cost.random),
      rule(arrays.never, words.cost.never),
    ])
    const highest = Math.max(...arrays.extra.flat())
    this.extra.show((i, j) => {
      const extra = arrays.extra[i][j]
      return { said: fill(text.extra.cell, { extra }), share: extra / highest }
    })
    this.tick(this.words)
  }

  heat({ title, corner }) {
    const { routes, each } = this.arrays
    const labels = routes.map((route) => this.text.routes[route])
    return new Heat(fill(title, { each }), corner, labels)
  }

  /** Follow the slider. */
  tick(n) {
    this.stepper.show(n)
    const counts = this.routed.confusion[n]
    this.confusion.show((i, j) => {
      const count = counts[i][j]
      return { said: fill(this.text.confusion.cell, { count }), share: count / this.arrays.each }
    })
    for (const chart of Object.values(this.charts)) chart.move(n)
    this.answer()
    this.frame.update()
  }

  /** Say where the typed prompt is sent, and why. */
  answer() {
    const { router, arrays, text, model } = this
    const said = text.prompt
    const words = wordsOf(this.cleaned()).slice(0, this.words)
    const known = words.filter((word) => router.knows(word))
    const unknown = words.filter((word) => !router.knows(word))
    const chances = router.chances(words)
    const sent = router.chosen(chances, model.get('rule'))
    const first = router.chosen(chances, 'probable')
    const name = (place) => text.routesSaid[arrays.routes[place]]
    const told = {
      read: known.join(' '),
      unknown: unknown.join(', '),
      likely: name(first),
      chance: chances[first],
      sent: name(sent),
    }
    const template = said[known.length ? 'some' : 'nothing'] + (unknown.length ? said.unknown : '')
    this.told.textContent = fill(template, told)
    this.giveReasons(known, chances, sent)
  }

  /** A row for each adapter: its chance, what it would cost, and what each word says for it. */
  because(known, chances, sent) {
    const { router, arrays, text } = this
    const { title, head, row, weight } = text.prompt
    const costs = router.costs(chances)
    const says = known.map((word) => router.says(word))
    const line = (route, i) => {
      const values = { label: text.routes[route], chance: chances[i], cost: costs[i] }
      const [label, ...cells] = row.map((cell) => fill(cell, values))
      const weights = says.map((each) => fill(weight, { weight: Math.round(10 * each[i]) / 10 || 0 }))
      return h(
        'tr',
        i === sent ? { 'aria-current': 'true' } : {},
        h('th', { scope: 'row' }, label),
        ...[...cells, ...weights].map((cell) => h('td', {}, cell)),
      )
    }
    const top = [...head, ...known].map((cell) => h('th', { scope: 'col' }, cell))
    return h(
      'table',
      {},
      h('caption', {}, title),
      h('thead', {}, h('tr', {}, ...top)),
      h('tbody', {}, ...arrays.routes.map(line)),
    )
  }

  sentence() {
    return fill(this.text.sentence, this.values(this.words))
  }

  table() {
    return this.tableOf(Array.from({ length: this.arrays.k + 1 }, (_, n) => this.values(n)))
  }

  snippet() {
    const [examples, rule] = CHOSEN.map((name) => this.model.get(name))
    return fill(this.arrays.snippet, { examples, rule, n: this.words })
  }

  get stem() {
    return `routing-${CHOSEN.map((name) => this.model.get(name)).join('-')}`
  }

  saves() {
    return { confusion: () => ['counts.csv', this.asCsv()] }
  }

  asCsv() {
    const { routes, extra } = this.arrays
    const lines = this.routed.confusion.flatMap((counts, n) =>
      routes.flatMap((asked, i) => routes.map((sent, j) => [n, asked, sent, counts[i][j], extra[i][j]])),
    )
    return csv([['words_read', 'asked_for', 'sent_to', 'prompts', 'extra_loss'], ...lines])
  }
}

export default rendering(Routing)
