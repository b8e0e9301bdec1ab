// The parts of D3 that instruments draw with. What one instrument alone needs, it imports itself.
export { axisBottom, axisLeft } from 'd3-axis'
export { scaleLinear, scaleLog } from 'd3-scale'
export { create } from 'd3-selection'
