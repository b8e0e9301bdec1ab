import { button, select } from '../kit/controls.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { fill } from '../kit/text.js'

const CHUNK = 4_000_000 // bytes; well below what the server takes in one message
const POSITION = 8 // bytes before each chunk that say where it belongs

/** A file chooser that refuses a file by name or size before it is read, and sends the others piece by piece. */
function render({ model, el }) {
  const { text, endings, maxBytes } = read(model, 'spec')
  const id = freshId('file')
  let file = null
  const input = h('input', {
    id,
    type: 'file',
    accept: endings.join(','),
    change: () => choose(input.files[0]),
  })
  const said = h('p', { class: 'notice', role: 'status', hidden: true })
  const place = h('div', { class: 'controls' })
  const stop = button(text.stop, () => tell(text.stopped), { hidden: true })

  const say = (words) => {
    said.textContent = words
    said.hidden = !words
  }

  /** Begin or end a transfer: Python learns the name and size, or that there is nothing to wait for. */
  const tell = (words, chosen = null) => {
    file = chosen
    stop.hidden = !file
    say(words)
    model.set('file', JSON.stringify(file ? { name: file.name, size: file.size, at: Date.now() } : {}))
    model.save_changes()
  }

  function choose(chosen) {
    if (!chosen) return
    const known = endings.some((ending) => chosen.name.toLowerCase().endsWith(ending))
    const values = { size: chosen.size / 1e6, most: maxBytes / 1e6, endings: endings.join(', ') }
    if (!known) say(fill(text.unknown, values))
    else if (chosen.size > maxBytes) say(fill(text.tooLarge, values))
    else if (chosen.size === 0) say(text.empty)
    else tell(fill(text.sending, { done: 0 }), chosen)
    input.value = ''
  }

  async function send() {
    const position = model.get('wanted')
    const sent = file
    if (!sent || position < 0) return
    const piece = new Uint8Array(await sent.slice(position, position + CHUNK).arrayBuffer())
    if (file !== sent) return // stopped, or another file was chosen meanwhile
    const chunk = new Uint8Array(POSITION + piece.length)
    new DataView(chunk.buffer).setBigUint64(0, BigInt(position))
    chunk.set(piece, POSITION)
    say(fill(text.sending, { done: position / sent.size }))
    model.set('chunk', chunk.buffer)
    model.save_changes()
  }

  function layers() {
    const names = JSON.parse(model.get('layers'))
    place.replaceChildren()
    if (names.length === 0) return
    const control = select(
      text.layer,
      names.map((name, i) => [i, name]),
      (i) => {
        model.set('layer', Number(i))
        model.save_changes()
      },
    )
    control.input.value = model.get('layer')
    place.append(control.element)
  }

  model.on('change:wanted', send)
  model.on('change:layers', layers)
  model.on('change:said', () => {
    say(model.get('said'))
    stop.hidden = true
    file = null
  })
  el.replaceChildren(
    h(
      'div',
      { class: 'lora lora-upload' },
      h(
        'div',
        { class: 'controls' },
        h('div', { class: 'control' }, h('label', { for: id }, text.label), input),
        stop,
      ),
      h('p', { class: 'note' }, text.allowed),
      said,
      place,
    ),
  )
  layers()
}

export default { render }
