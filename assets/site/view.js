// How the page looks: light, dark or as the system says, and large for a projector. Told by the address
// (?theme=dark&view=projector), else remembered in the reader's browser, else left to her system.

const KEPT = ['theme', 'view']
const ALLOWED = { theme: ['light', 'dark'], view: ['projector'] }

function remembered(name) {
  try {
    return localStorage.getItem(`lora-${name}`)
  } catch {
    return null
  } // a sandboxed frame has no storage
}

function remember(name, value) {
  try {
    value ? localStorage.setItem(`lora-${name}`, value) : localStorage.removeItem(`lora-${name}`)
  } catch {
    /* as above */
  }
}

let own // the colours before the page around us said anything

/** Take the colours of the page around us, dark or light; where it says neither, keep our own. */
export function follows(theme) {
  const { dataset } = document.documentElement
  own ??= dataset.theme ?? ''
  const now = ALLOWED.theme.includes(theme) ? theme : own
  if (now) dataset.theme = now
  else delete dataset.theme
}

/** Apply what address and memory say, and let the controls of the page change it. */
export function viewControls(address) {
  const { dataset } = document.documentElement
  for (const name of KEPT) {
    const value = address.get(name) ?? remembered(name)
    if (ALLOWED[name].includes(value)) dataset[name] = value
  }
  if (address.get('view') === 'present') dataset.view = 'projector' // as long as it is presented
  const set = (name, value) => {
    if (value) dataset[name] = value
    else delete dataset[name]
    remember(name, value)
  }
  const theme = document.querySelector('#theme')
  if (theme) {
    theme.value = dataset.theme ?? ''
    theme.addEventListener('change', () => set('theme', theme.value))
  }
  const projector = document.querySelector('#projector')
  if (projector) {
    projector.checked = dataset.view === 'projector'
    projector.addEventListener('change', () => set('view', projector.checked ? 'projector' : ''))
  }
}
