// What the console does in the browser: times in the reader's zone, one event stream, charts, and keys for the review
// queue. Pages are made by the server; this asks it for the part that is live, and decides nothing.
"use strict";

(() => {
  const body = document.body;
  const words = document.getElementById("words")?.dataset ?? {};
  const main = document.getElementById("main");
  const language = document.documentElement.lang;

  // Times: the server writes UTC; beside it stands the time where the reader is, unless that is the same.
  const zoneFormat = new Intl.DateTimeFormat(language === "es" ? "es" : "sv", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    hourCycle: "h23",
  });
  const isUtc = new Date().getTimezoneOffset() === 0;
  const localTimes = (root) => {
    if (isUtc) return;
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const parts = Object.fromEntries(zoneFormat.formatToParts(at).map((part) => [part.type, part.value]));
      const utc = document.createElement("span");
      utc.className = "utc";
      utc.textContent = ` ${time.textContent.trim()}`;
      time.replaceChildren(
        `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}`, utc);
      time.dataset.local = "";
    }
  };

  // The live part of a page is asked for again and merged: what has the focus keeps it.
  let isAsking = false;
  let isWanted = false;
  let last = 0;
  const PAUSE = 250;
  const refresh = async () => {
    if (!document.getElementById("live")) return;
    if (isAsking) { isWanted = true; return; }
    isAsking = true;
    const wait = last + PAUSE - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    isWanted = false;
    const place = focusPlace();
    try {
      await htmx.ajax("GET", location.pathname + location.search,
        { target: "#live", select: "#live", swap: "outerMorph" });
    } finally {
      last = performance.now();
      isAsking = false;
    }
    restoreFocus(place);
    if (isWanted) refresh();
  };

  const kinds = (body.dataset.live ?? "").split(" ").filter(Boolean);
  const state = document.getElementById("state");
  const stale = document.getElementById("stale");
  const tell = (word) => {
    if (!state || state.dataset.state === word) return;
    state.dataset.state = word;
    state.querySelector(".text").textContent = words[word] ?? "";
    if (!stale) return;
    stale.hidden = word !== "lost";
    if (word === "lost") {
      stale.querySelector(".since").textContent = `${new Date().toISOString().slice(0, 19).replace("T", " ")}Z`;
    }
  };

  // One stream. It says every five seconds that it is alive; one that is silent for longer is opened anew, from the last
  // event on. A page nobody looks at holds none, and asks for everything when it is looked at again.
  const SILENCE = 16000;
  const AGAIN = 2000;
  let stream = null;
  let after = Number(body.dataset.after ?? 0);
  let heard = 0;
  const close = () => { stream?.close(); stream = null; };
  const open = () => {
    if (stream || !body.dataset.stream || document.hidden) return;
    heard = performance.now();
    const source = new EventSource(`${body.dataset.stream}?alive=1&after=${after}`);
    stream = source;
    const hear = (event) => {
      heard = performance.now();
      if (event.lastEventId) after = Number(event.lastEventId);
    };
    source.onopen = () => {
      heard = performance.now();
      const wasLost = state?.dataset.state === "lost";
      tell("live");
      if (wasLost) refresh();
    };
    source.addEventListener("alive", hear);
    source.addEventListener("gap", (event) => { hear(event); location.reload(); });
    for (const kind of ["incident", "sensor", "block", "order", "review", "campaign", "condition", "fleet-block"]) {
      source.addEventListener(kind, (event) => {
        hear(event);
        if (kinds.includes(kind)) refresh();
      });
    }
    source.onerror = () => {
      tell("lost");
      if (source.readyState === EventSource.CLOSED) { close(); check(); }
    };
  };
  // A stream that was refused may have ended with its login.
  const check = async () => {
    try {
      const answer = await fetch("/api/v1/session", { headers: { accept: "application/json" } });
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    } catch { /* It is tried again. */ }
  };
  if (body.dataset.stream) {
    open();
    setInterval(() => {
      if (document.hidden) return;
      if (stream && performance.now() - heard > SILENCE) { tell("lost"); close(); }
      open();
    }, AGAIN);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) close();
      else { open(); refresh(); }
    });
    window.addEventListener("pagehide", close);
  }
  const every = Number(body.dataset.every ?? 0);
  if (every > 0) setInterval(() => { if (!document.hidden) refresh(); }, every * 1000);

  // Charts: numbers stand in an attribute and in the table below.
  const charts = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const draw = (box) => {
    if (typeof uPlot === "undefined") return;
    const text = box.dataset.series;
    const width = box.clientWidth - parseFloat(getComputedStyle(box).paddingLeft) * 2;
    const known = charts.get(box);
    if (known?.text === text && known.width === width) return;
    known?.plot.destroy();
    const { at, series, unit } = JSON.parse(text);
    const isStacked = box.dataset.kind === "stacked";
    const sums = [];
    let above = at.map(() => 0);
    for (const one of series) {
      above = isStacked ? one.values.map((value, place) => above[place] + (value ?? 0)) : one.values;
      sums.push(above);
    }
    const shown = (value) => (value == null ? "–" : value.toLocaleString(language, { maximumFractionDigits: 1 }));
    // The highest sum is drawn first, so that each lower one covers what is not its own.
    const order = series.map((_, place) => place);
    if (isStacked) order.reverse();
    const lines = order.map((place) => {
      const ink = colour(series[place].colour);
      return {
        label: series[place].name, stroke: ink, width: isStacked ? 1 : 1.5, points: { show: false },
        fill: isStacked ? ink : undefined, paths: isStacked ? uPlot.paths.stepped({ align: 1 }) : undefined,
        value: (_, __, ___, row) => shown(row == null ? null : series[place].values[row]),
      };
    });
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui" };
    const plot = new uPlot({
      width, height: 200, padding: [8, 22, 0, 0],
      cursor: { y: false, points: { show: !isStacked } },
      scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.08] } },
      axes: [{ ...axis, values: clock }, { ...axis, size: 52, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, ticks) => ticks.map(short) }],
      series: [{ label: unit, value: (_, second) => (second == null ? "–" : stamp(second)) }, ...lines],
      legend: { live: true },
    }, [at, ...order.map((place) => sums[place])], box);
    plot.root.setAttribute("aria-hidden", "true");
    charts.set(box, { plot, text, width });
  };
  const two = (number) => String(number).padStart(2, "0");
  const stamp = (second) => {
    const at = new Date(second * 1000);
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
  };
  const clock = (_, ticks) => ticks.map((second) => {
    const at = new Date(second * 1000);
    const isDay = at.getHours() === 0 && at.getMinutes() === 0;
    return isDay ? `${two(at.getMonth() + 1)}-${two(at.getDate())}` : `${two(at.getHours())}:${two(at.getMinutes())}`;
  });
  const short = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : String(value));
  const drawAll = () => {
    for (const [box, known] of charts) {
      if (!box.isConnected) { known.plot.destroy(); charts.delete(box); }
    }
    for (const box of document.querySelectorAll(".chart[data-series]")) draw(box);
  };
  const redraw = () => { for (const known of charts.values()) known.text = ""; drawAll(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(() => drawAll()).observe(main ?? body);

  // The review queue: keys work while a review has the focus.
  const reviews = () => [...document.querySelectorAll(".review[data-open]")];
  const focusPlace = () => {
    const inside = document.activeElement?.closest(".review[data-open]");
    return inside ? { id: inside.id, at: reviews().indexOf(inside) } : null;
  };
  const restoreFocus = (place) => {
    if (!place) return;
    if (document.activeElement?.closest(".review[data-open]")?.id === place.id) return;
    const list = reviews();
    const next = document.getElementById(place.id)?.hasAttribute("data-open")
      ? document.getElementById(place.id) : list[Math.min(place.at, list.length - 1)];
    (next ?? document.querySelector(".queue-end"))?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const review = event.target.closest?.(".review");
    if (!review) return;
    const isTyping = event.target.matches("input, textarea, select");
    if (isTyping) {
      if (event.key === "Escape") { event.preventDefault(); review.focus(); }
      return;
    }
    const press = (selector) => {
      const button = review.querySelector(selector) ?? document.querySelector(`.decided ${selector}`);
      if (!button) return;
      event.preventDefault();
      button.click();
    };
    const list = reviews();
    const at = list.indexOf(review);
    switch (event.key) {
      case "j": case "ArrowDown": event.preventDefault(); list[Math.min(at + 1, list.length - 1)]?.focus(); break;
      case "k": case "ArrowUp": event.preventDefault(); list[Math.max(at - 1, 0)]?.focus(); break;
      case "a": press("button[value=approve]"); break;
      case "d": press("button[value=dismiss]"); break;
      case "w": {
        event.preventDefault();
        const reason = review.querySelector("input[name=reason]");
        if (reason?.value.trim()) press("button[value=allow]");
        else reason?.focus();
        break;
      }
      case "u": press("button[data-undo]"); break;
      case "o": case "Enter": if (event.target === review) press("a[data-open-incident]"); break;
      default:
    }
  });
  // Who can still be taken back, for how long.
  setInterval(() => {
    for (const left of document.querySelectorAll("[data-until]")) {
      const seconds = Math.ceil((Number(left.dataset.until) - Date.now()) / 1000);
      left.textContent = seconds > 0 ? String(seconds) : "0";
      const button = left.closest("button");
      if (button && seconds <= 0 && !button.hidden) { button.hidden = true; }
    }
  }, 500);

  // The menu of a narrow screen.
  document.querySelector(".menu")?.addEventListener("click", (event) => {
    const side = document.querySelector(".side");
    const isOpen = side.toggleAttribute("data-open");
    event.currentTarget.setAttribute("aria-expanded", String(isOpen));
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-print]")) window.print();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-submit]")) event.target.form?.requestSubmit();
  });
  // What a reader has unfolded, ticked or typed stays so while the page changes around it.
  htmx.registerExtension("garita", {
    htmx_before_morph_attr: (element, detail) => {
      const name = detail.attrName;
      if (name === "open" && element.tagName === "DETAILS") return false;
      return true;
    },
  });
  document.addEventListener("htmx:after:swap", () => {
    localTimes(document);
    drawAll();
  });
  body.addEventListener("refresh", refresh);
  localTimes(document);
  drawAll();
})();
