/** The part of anywidget's model that instruments use, over a plain object. */
export class Model {
  constructor(values) {
    this.values = values
    this.changed = new Set()
    this.listeners = {}
    this.onSaved = () => {}
  }

  get(name) {
    return this.values[name]
  }

  set(name, value) {
    if (this.values[name] === value) return
    this.values[name] = value
    this.changed.add(name)
  }

  on(event, listener) {
    ;(this.listeners[event] ??= []).push(listener)
  }

  /** The instrument has set what it wanted to: tell its listeners, then the page. */
  save_changes() {
    const names = this.emit()
    if (names.length) this.onSaved(names)
  }

  /** The page sets values: the instrument is told, the page is not. */
  put(values) {
    for (const [name, value] of Object.entries(values)) this.set(name, value)
    this.emit()
  }

  emit() {
    const names = [...this.changed]
    this.changed.clear()
    for (const name of names) this.listeners[`change:${name}`]?.forEach((listener) => listener())
    return names
  }
}
