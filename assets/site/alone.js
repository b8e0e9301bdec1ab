// The host of a figure that stands alone in a single file: page.js without what only a site has.

import { brought, follow, heights } from './hosting.js'
import { viewControls } from './view.js'

const address = new URL(location.href).searchParams
document.documentElement.classList.add('scripted')
viewControls(address)
follow(brought(address))
heights()
