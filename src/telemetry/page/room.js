// A room as a picture: the site in the middle, its visitors around it, and a line for each open link. Who was fed by the
// others stands far out, who was fed by the site near it; who gives more is larger, who has given nothing is hollow. A
// visitor keeps its direction, so that one can watch it drift outwards.
const GOLDEN = Math.PI * (3 - Math.sqrt(5)), NEAR = 0.2, FAR = 0.92

/** Draws the room into the figure's canvas and says it in words below. */
function picture(figure, { visitors, sample, links }) {
  const words = described(visitors, sample, links), canvas = figure.querySelector("canvas")
  text(figure.querySelector("figcaption"), words)
  canvas.setAttribute("aria-label", words)
  const { clientWidth: width, clientHeight: height } = canvas, scale = devicePixelRatio
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale)
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale)
  const style = getComputedStyle(canvas), ink = (name) => style.getPropertyValue(`--${name}`)
  const brush = canvas.getContext("2d")
  brush.setTransform(scale, 0, 0, scale, 0, 0)
  brush.clearRect(0, 0, width, height)
  brush.translate(width / 2, height / 2)
  const [across, down] = [width / 2 - 8, height / 2 - 8]
  rings(brush, across, down, ink("edge"))
  const dots = placed(sample, across, down)
  lines(brush, links.map((pair) => pair.map((id) => dots.get(id))), ink("soft"))
  brush.fillStyle = ink("origin")
  brush.fillRect(-6, -6, 12, 12)
  for (const dot of dots.values()) spot(brush, dot, ink("peer"), ink("card"))
}

/** Where each visitor stands, and how large. */
function placed(sample, across, down) {
  const most = Math.max(1, ...sample.map(({ given }) => given)), small = sample.length > 150
  return new Map(sample.map(({ id, origin, peer, given }) => {
    const angle = id * GOLDEN, spread = ((id * 0.618) % 1) * 0.16
    const out = NEAR + (FAR - NEAR - 0.16) * (peer / (origin + peer || 1)) + spread
    const size = (small ? 1.5 : 3) + (small ? 2.5 : 6) * Math.sqrt(given / most)
    return [id, { x: Math.cos(angle) * out * across, y: Math.sin(angle) * out * down, size, gave: given > 0 }]
  }))
}

function rings(brush, across, down, colour) {
  brush.strokeStyle = colour
  brush.lineWidth = 1
  for (const out of [NEAR, FAR]) {
    brush.beginPath()
    brush.ellipse(0, 0, out * across, out * down, 0, 0, 2 * Math.PI)
    brush.stroke()
  }
}

/** The more lines, the fainter: else thousands are a blot. */
function lines(brush, pairs, colour) {
  brush.strokeStyle = colour
  brush.globalAlpha = Math.min(0.5, 0.04 + 12 / (pairs.length + 1))
  brush.beginPath()
  for (const [one, two] of pairs) {
    if (!one || !two) continue
    brush.moveTo(one.x, one.y)
    brush.lineTo(two.x, two.y)
  }
  brush.stroke()
  brush.globalAlpha = 1
}

function spot(brush, { x, y, size, gave }, colour, ground) {
  brush.beginPath()
  brush.arc(x, y, size, 0, 2 * Math.PI)
  brush.fillStyle = gave ? colour : ground
  brush.strokeStyle = gave ? ground : colour
  brush.lineWidth = gave ? 1 : 1.5
  brush.fill()
  brush.stroke()
}

function described(visitors, sample, links) {
  if (!sample.length) return "Nobody is in its room."
  const of = sample.length < visitors ? `${sample.length.toLocaleString("en")} of ${many(visitors, "visitor")}` : many(visitors, "visitor")
  const shares = sample.filter(({ origin, peer }) => origin + peer).map(({ origin, peer }) => peer / (origin + peer)).sort((one, two) => one - two)
  const half = shares.length ? ` Half of them got more than ${percent(shares[Math.floor(shares.length / 2)])} from each other.` : ""
  const nothing = sample.filter(({ given }) => !given).length
  const gave = nothing ? ` ${nothing.toLocaleString("en")} gave nothing yet.` : ""
  return `${of}, ${many(links.length, "open link")}.${half}${gave}`
}
