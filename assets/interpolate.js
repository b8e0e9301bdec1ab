// What D3's scales take from d3-interpolate, with numbers for all values: to go between colours too weighs 10 kB more.
export {
  default as interpolate,
  default as interpolateNumber,
} from './node_modules/d3-interpolate/src/number.js'
export { default as piecewise } from './node_modules/d3-interpolate/src/piecewise.js'
export { default as interpolateRound } from './node_modules/d3-interpolate/src/round.js'
