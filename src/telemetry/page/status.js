// The operators' page: changes come as they happen (events), figures once a second (status.json). It keeps five minutes of
// rates for the curves, and draws each crowd into elements that stay, so that focus and selection do too.
const $ = (id) => document.getElementById(id)
const SITE = "*", KEPT = 300, EVENTS = 50, CARDS = 24
const rates = new Map(), cards = new Map()
let last

const bytes = (count) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  let at = 0
  for (; count >= 1024 && at < units.length - 1; at++) count /= 1024
  return `${at && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[at]}`
}
const percent = (part) => `${Math.round(100 * part)} %`
const many = (count, one, more = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : more}`
const rate = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en"))
const named = (key) => (key === SITE ? "the whole site" : key)
const clock = (at) => new Date(at).toLocaleTimeString("en-GB")
const all = ({ origin, store, peer }) => origin + store + peer

const RULES = {
  surge: "visits doubled again and again, far above its own mean",
  wave: "a second wave came",
  quiet: "it fell below the floor",
  elapsed: "it stayed quiet",
  manual: "an operator said so",
}

function show(status) {
  const pages = status.crowds.filter(({ key }) => key !== SITE)
  const hot = pages.filter(({ state }) => state === "hot").length
  const now = hot ? `${many(hot, "page")} hot` : pages.length ? `${many(pages.length, "page")} cooling` : "All calm"
  text($("summary"), pages.length ? `${now}, ${many(status.visitors, "visitor")} connected` : now)
  document.title = `${now} · flashback`
  const { totals } = status
  figures({
    "carried by visitors": all(totals.bytes) ? percent(totals.bytes.peer / all(totals.bytes)) : "–",
    "from each other": bytes(totals.bytes.peer),
    "from the site": bytes(totals.bytes.origin),
    "requests a second": last ? rate(Math.max(0, (totals.requests - last.requests) / ((performance.now() - last.at) / 1000))) : "–",
    "crowds so far": totals.crowds.toLocaleString("en"),
    "faults of ours": totals.faults.toLocaleString("en"),
  })
  last = { requests: totals.requests, at: performance.now() }
  $("none").hidden = status.crowds.length > 0
  // The fastest come first; nobody reads hundreds, and a phone would not draw them in time.
  const shown = status.crowds.slice(0, CARDS), more = status.crowds.length - shown.length
  $("more").hidden = more === 0
  text($("more"), `${many(more, "slower page")} more: see status.json.`)
  const keys = new Set(shown.map(({ key }) => key))
  for (const [key, card] of cards) if (!keys.has(key)) (card.remove(), cards.delete(key), rates.delete(key))
  shown.forEach(draw)
}

/** Changes the text only if it is another: a screen reader repeats what is written again. */
function text(element, words) {
  if (element.textContent !== words) element.textContent = words
}

function figures(of) {
  const list = $("figures")
  if (!list.children.length)
    for (const name of Object.keys(of)) {
      const pair = list.appendChild(document.createElement("div"))
      pair.append(Object.assign(document.createElement("dt"), { textContent: name }), document.createElement("dd"))
    }
  Object.values(of).forEach((value, at) => text(list.children[at].lastChild, value))
}

function draw(crowd) {
  let card = cards.get(crowd.key)
  if (!card) {
    card = $("crowd").content.firstElementChild.cloneNode(true)
    text(card.querySelector("h3"), named(crowd.key))
    // The site as a whole is no page: it has no room, carries nothing and cannot be switched.
    if (crowd.key === SITE) card.querySelectorAll(".buttons, .room, .share, .bytes").forEach((part) => part.remove())
    else equip(card, crowd.key)
    cards.set(crowd.key, card)
    $("crowds").append(card)
  }
  const [state, why] = [card.querySelector(".state"), card.querySelector(".why")]
  text(state, crowd.state)
  state.className = `state ${crowd.state}`
  const scale = crowd.scale_s ? ` (seen in epochs of ${crowd.scale_s} s)` : ""
  const from = crowd.referrers.slice(0, 3).map(({ host, share }) => `${host || "no link"} ${percent(share)}`)
  const room = crowd.key === SITE ? "A" : `${many(crowd.visitors, "visitor")} in its room, a`
  text(why, `Since ${clock(crowd.since)}: ${RULES[crowd.rule] ?? crowd.rule}${scale}. ${room}udience ${percent(crowd.audience)}${from.length ? `, from ${from.join(", ")}` : ""}.`)
  curve(card.querySelector(".rate"), crowd)
  if (crowd.key !== SITE) share(card, crowd.bytes)
}

function equip(card, key) {
  for (const button of card.querySelector(".buttons").children) {
    button.setAttribute("aria-label", `${button.textContent}: ${key}`)
    button.onclick = () => order(`http://${key}`, button.value)
  }
  // One room is looked into unasked; the others on a click, so that a page full of crowds asks for no more than it shows.
  const room = card.querySelector(".room")
  room.open = !document.querySelector(".room[open]")
  room.ontoggle = () => room.open && enter(key, card)
}

/** Rates of the last five minutes, and the page's own mean as a dashed line. */
function curve(figure, crowd) {
  const kept = rates.get(crowd.key) ?? []
  kept.push(crowd.rate)
  rates.set(crowd.key, kept.slice(-KEPT))
  const most = Math.max(...kept, crowd.average, 1)
  const [x, y] = [(at) => (300 * at) / Math.max(kept.length - 1, 1), (value) => 62 - (58 * value) / most]
  const line = kept.map((value, at) => `${at ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("")
  figure.querySelector(".line").setAttribute("d", line)
  figure.querySelector(".area").setAttribute("d", `${line}L300 64L0 64Z`)
  figure.querySelector(".mean").setAttribute("d", `M0 ${y(crowd.average)}H300`)
  const words = `${rate(crowd.rate)} visits a second; its own mean is ${rate(crowd.average)}, the highest shown ${rate(Math.max(...kept))}`
  text(figure.querySelector("figcaption"), words)
  figure.querySelector("svg").setAttribute("aria-label", words)
}

function share(card, of) {
  const whole = all(of), bar = card.querySelector(".share")
  const parts = { peer: "from each other", store: "from memory", origin: "from the site" }
  const line = card.querySelector(".bytes")
  for (const [who, words] of Object.entries(parts)) {
    bar.querySelector(`.${who}`).style.width = `${whole ? (100 * of[who]) / whole : 0}%`
    const span = line.querySelector(`.${who}`) ?? line.appendChild(Object.assign(document.createElement("span"), { className: who }))
    text(span, `${bytes(of[who])} ${words}`)
  }
  bar.setAttribute("aria-label", whole ? `${percent(of.peer / whole)} from each other` : "nothing carried yet")
}

/** Looks into the room of a page. */
async function enter(key, card) {
  try {
    const answer = await fetch(`room.json?page=${encodeURIComponent(key)}`, { cache: "no-store" })
    picture(card.querySelector(".room figure"), answer.ok ? await answer.json() : NOBODY)
  } catch {
    // The status, asked next, says that there is no answer.
  }
}
const NOBODY = { visitors: 0, sample: [], links: [] }

const MEANINGS = {
  hot: "Visitors who open it from now on carry it to each other, whatever the detector thinks, until you say otherwise.",
  calm: "Its visitors stop carrying it at once, and the site serves it alone, until you say otherwise.",
  auto: "The detector decides again.",
}

function order(url, mode) {
  const dialog = $("confirm")
  text($("question"), `${mode[0].toUpperCase()}${mode.slice(1)}: ${url}?`)
  text($("meaning"), MEANINGS[mode])
  text($("yes"), `Yes, ${mode}`)
  dialog.returnValue = "no"
  dialog.onclose = async () => {
    if (dialog.returnValue !== "yes") return
    try {
      const answer = await fetch("crowd", { method: "POST", body: JSON.stringify({ url, mode }) })
      const { error } = await answer.json()
      text($("answer"), error ? `Not done: ${error}` : `Done: ${url} is ${mode}; it shows here with its next visit.`)
    } catch (error) {
      text($("answer"), `Not done: ${error.message}`)
    }
  }
  dialog.showModal()
}

$("order").onsubmit = (event) => {
  event.preventDefault()
  order($("url").value.trim(), event.submitter?.value ?? "hot")
}

function happened(at, words) {
  $("quiet").hidden = true
  const line = document.createElement("li")
  const time = Object.assign(document.createElement("time"), { dateTime: at, textContent: clock(at) })
  line.append(time, Object.assign(document.createElement("span"), { textContent: words }))
  $("events").prepend(line)
  while ($("events").children.length > EVENTS) $("events").lastChild.remove()
}

const events = new EventSource("events")
events.addEventListener("crowd", ({ data }) => {
  const { at, key, to, rule, rate: reached } = JSON.parse(data)
  happened(at, `${named(key)} is ${to}: ${RULES[rule] ?? rule}${to === "hot" && reached ? `, ${rate(reached)} visits a second` : ""}.`)
})
events.addEventListener("lost", ({ data }) => happened(new Date().toISOString(), `${many(Number(data), "event")} came too fast to be shown.`))

async function look() {
  try {
    const answer = await fetch("status.json", { cache: "no-store" })
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    show(await answer.json())
    for (const [key, card] of cards) if (card.querySelector(".room[open]")) await enter(key, card)
    $("live").dataset.live = "yes"
    text($("live"), "live")
  } catch (error) {
    $("live").dataset.live = "no"
    text($("live"), `no answer since ${last ? clock(Date.now() - (performance.now() - last.at)) : "the start"}; still asking`)
  }
  setTimeout(look, 1000)
}
look()
