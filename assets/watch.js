// Draws the consortium page from the snapshots of one stream. It decides nothing: what an event waits for and why it
// came where it came is said by the bank; here it only gets its words, its place and its colour.
'use strict';
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const root = document.getElementById('consorcio');
  const texts = JSON.parse(root.dataset.texts);
  const names = JSON.parse(root.dataset.names);
  const me = Number(root.dataset.me);
  const by = (id) => document.getElementById(id);

  let latest = null; // the last snapshot of the stream
  let shown = null; // the one that is drawn
  let paused = false;
  let offline = false;
  let selected = null; // id of the event whose story is told
  let current = null; // id of the event that the keyboard stands on

  function text(name, gaps = {}) {
    return texts[name].replace(/\{(\w+)\}/g, (_, gap) => gaps[gap]);
  }

  // Elements ---------------------------------------------------------------------------------------------------

  function element(tag, attributes, ...children) {
    const svg = ['g', 'line', 'path', 'circle', 'rect', 'text'].includes(tag);
    const made = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value !== null && value !== false) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  const drawn = new Map(); // what stands in each place

  // Changes the page only where something differs, and gives the keyboard its place back.
  function put(id, ...children) {
    const place = by(id);
    const fresh = element(place.tagName === 'svg' ? 'g' : 'div', {}, ...children);
    if (drawn.get(id) === fresh.innerHTML) return;
    drawn.set(id, fresh.innerHTML);
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
    place.replaceChildren(...fresh.childNodes);
    if (focused !== undefined) focusOn(place, focused);
  }

  function focusOn(place, id) {
    const same = [...place.querySelectorAll('button[data-id], .dot')].find((one) => one.dataset.id === id);
    if (same) same.focus({ preventScroll: true });
  }

  // Words ------------------------------------------------------------------------------------------------------

  const short = (event) => `${event.sender}·${event.counter}`;
  const stamp = (clock) => `[${clock.join(',')}]`;
  const list = (parts) => [parts.slice(0, -1).join(', '), ...parts.slice(-1)].filter(Boolean).join(text('and'));

  function duration(micros) {
    const number = (value, digits) => value.toLocaleString('pt-BR', { maximumFractionDigits: digits });
    return micros < 1e6 ? `${number(micros / 1e3, 2)} ms` : `${number(micros / 1e6, 1)} s`;
  }

  function reason(wait) {
    switch (wait.kind) {
      case 'no_view': return text('wait_no_view');
      case 'before': {
        const gaps = { banco: names[wait.bank], eventos: `${wait.bank}·${wait.from}` };
        if (wait.from === wait.to) return text('wait_before', gaps);
        return text('wait_before_many', { ...gaps, eventos: `${gaps.eventos} a ${wait.bank}·${wait.to}` });
      }
      case 'disk': return text('wait_disk');
      case 'acknowledgements': return text('wait_acknowledgements', { bancos: list(wait.banks.map((bank) => names[bank])) });
      case 'behind': return text('wait_behind', { evento: `${wait.sender}·${wait.counter}` });
      default: return text('wait_execution');
    }
  }

  const isWaiting = (event) => event.executed === null && event.void === null;
  const reasons = (event) => event.waits.map(reason).join('; ') || text('wait_arrival');

  function label(event) {
    let situation = text('label_void');
    if (event.executed) situation = text('label_executed', { posicao: event.executed.position });
    else if (isWaiting(event)) situation = text('label_waits', { motivos: reasons(event) });
    if (event.concurrent) situation += `, ${text('label_concurrent')}`;
    return text('event_label', {
      nome: short(event), banco: names[event.sender], carimbo: stamp(event.timestamp), situacao: situation,
    });
  }

  // Which of two events knew of the other: the vector clocks say it.
  function relation(event, other) {
    if (event.id === other.id) return null;
    if (other.timestamp[event.sender] >= event.counter) return 'past';
    return event.timestamp[other.sender] >= other.counter ? 'future' : 'concurrent';
  }

  // The diagram ------------------------------------------------------------------------------------------------

  const TOP = 40;
  const LEFT = 120;

  function layout(now) {
    const longest = Math.max(5, ...now.events.map((event) => stamp(event.timestamp).length));
    const column = Math.max(84, longest * 6.6 + 26);
    const first = Math.min(...now.events.map((event) => event.column), Infinity);
    const line = names.length > 5 ? 64 : 88;
    const last = Math.max(first, ...now.events.map((event) => event.column));
    const columns = now.events.length ? last - first + 1 : 1;
    return {
      x: (at) => LEFT + 40 + (at - first) * column,
      y: (bank) => TOP + bank * line,
      column,
      width: LEFT + 40 + columns * column + 30,
      height: TOP + (names.length - 1) * line + 44,
    };
  }

  // An arrow ends behind everything its bank had stamped without knowing of the event.
  function arrival(event, bank, events) {
    const unaware = events.filter((other) => other.sender === bank && other.timestamp[event.sender] < event.counter);
    return Math.max(event.column, ...unaware.map((other) => other.column)) + 0.55;
  }

  function arrows(event, now, place) {
    const members = now.view ? now.view.members : [];
    const known = new Map(event.acknowledged);
    return names.map((_, bank) => bank)
      .filter((bank) => bank !== event.sender && (known.has(bank) || (members.includes(bank) && event.void === null)))
      .map((bank) => {
        const [x1, y1] = [place.x(event.column), place.y(event.sender)];
        const [x2, y2] = [place.x(arrival(event, bank, now.events)), place.y(bank)];
        const arrived = known.has(bank);
        // What has not been acknowledged ends on its way.
        const share = arrived ? 1 : 0.6;
        const [xe, ye] = [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share];
        const angle = Math.atan2(y2 - y1, x2 - x1);
        const wing = (turn) => `${(xe - 8 * Math.cos(angle + turn)).toFixed(1)} ${(ye - 8 * Math.sin(angle + turn)).toFixed(1)}`;
        const d = `M${x1} ${y1}L${xe.toFixed(1)} ${ye.toFixed(1)}M${wing(0.4)}L${xe.toFixed(1)} ${ye.toFixed(1)}L${wing(-0.4)}`;
        const way = `arrow ${arrived ? 'arrived' : 'under-way'}${event.id === selected ? ' of-selected' : ''}`;
        return element('path', { class: way, d });
      });
  }

  // What this bank has received stands on its own line, with the clock that it left there.
  function receipts(now, place) {
    const last = new Map(); // of several at one place, the last in the order has the final clock
    for (const event of now.events) {
      if (event.sender !== me && event.clocks) last.set(arrival(event, me, now.events), event);
    }
    return [...last].map(([at, event]) => {
      const [x, y] = [place.x(at), place.y(me)];
      return element('g', { class: 'receive', 'aria-hidden': 'true' },
        element('circle', { cx: x, cy: y, r: 3.5 }), element('text', { x, y: y + 38 }, stamp(event.clocks[1])));
    });
  }

  function clocks(event) {
    const [before, after] = event.clocks.map(stamp);
    return text('clocks', { antes: before, carimbo: stamp(event.timestamp), depois: after });
  }

  function dot(event, chosen, place) {
    const [x, y] = [place.x(event.column), place.y(event.sender)];
    const classes = ['event', event.executed ? 'executed' : isWaiting(event) ? 'waiting' : 'void'];
    if (event.concurrent) classes.push('concurrent');
    const related = chosen && relation(event, chosen);
    if (related) classes.push(related);
    if (event.id === selected) classes.push('selected');
    const shape = event.concurrent
      ? element('rect', { x: x - 7, y: y - 7, width: 14, height: 14, transform: `rotate(45 ${x} ${y})` })
      : element('circle', { cx: x, cy: y, r: 8 });
    const below = event.executed ? `#${event.executed.position}` : isWaiting(event) ? '…' : '✕';
    return element('g', { class: classes.join(' '), 'data-id': event.id },
      element('g', {
        class: 'dot', role: 'button', tabindex: event.id === current ? 0 : -1,
        'data-id': event.id, 'aria-label': label(event), 'aria-pressed': String(event.id === selected),
      }, shape),
      element('text', { x, y: y - 16, class: 'stamp', 'aria-hidden': 'true' }, stamp(event.timestamp)),
      element('text', { x, y: y + 26, class: 'place', 'aria-hidden': 'true' }, below));
  }

  function drawDiagram(now) {
    const place = layout(now);
    const svg = by('diagrama');
    const scroll = by('rolagem');
    const follows = !paused && scroll.scrollLeft + scroll.clientWidth > scroll.scrollWidth - 60;
    if (!now.events.some((event) => event.id === current)) {
      current = now.events.length ? now.events[now.events.length - 1].id : null;
    }
    svg.setAttribute('viewBox', `0 0 ${place.width} ${place.height}`);
    svg.setAttribute('width', place.width);
    svg.setAttribute('height', place.height);
    const state = (bank) => (now.banks[bank].member ? 'bank' : 'bank outside');
    const lines = names.map((_, bank) => element('g', { class: state(bank) },
      element('line', { x1: LEFT, y1: place.y(bank), x2: place.width, y2: place.y(bank) })));
    const labels = names.map((name, bank) => element('g', { class: state(bank) },
      element('text', { x: 8, y: place.y(bank) + 5 }, name.length > 14 ? `${name.slice(0, 13)}…` : name)));
    const chosen = now.events.find((event) => event.id === selected);
    put('diagrama', ...lines, ...now.events.flatMap((event) => arrows(event, now, place)),
      ...receipts(now, place), ...now.events.map((event) => dot(event, chosen, place)),
      element('g', { class: 'names' }, element('rect', { x: 0, y: 0, width: LEFT, height: place.height }), ...labels));
    if (follows) scroll.scrollLeft = scroll.scrollWidth;
    keepNames();
  }

  // The names of the banks stay where they are while the diagram moves below them.
  function keepNames() {
    const kept = by('diagrama').querySelector('.names');
    if (kept) kept.setAttribute('transform', `translate(${by('rolagem').scrollLeft} 0)`);
  }

  // Everything else --------------------------------------------------------------------------------------------

  function cell(content, extra) { return element('td', extra, content); }

  function drawBanks(now, words) {
    put('bancos', ...now.banks.map((bank) => element('tr', { class: bank.state === 'up' ? null : 'down' },
      element('th', { scope: 'row' }, names[bank.bank]),
      cell(words.banks[bank.bank].state), cell(bank.member ? text('member') : text('outside')),
      cell(stamp(bank.bank === me ? now.clock : bank.durable ?? []), { class: 'number' }),
      cell(bank.durable ? stamp(bank.durable) : '–', { class: 'number' }),
      cell(String(bank.position ?? '–'), { class: 'number' }), cell(String(bank.buffered), { class: 'number' }), cell(words.banks[bank.bank].health))));
  }

  // Who hears whom, as dots.
  function drawMatrix(now) {
    const seen = (bank, other) => {
      if (bank.bank === other.bank) return element('i', { class: 'self' });
      const hears = bank.hears.includes(other.bank);
      const gaps = { banco: names[bank.bank], outro: names[other.bank] };
      const title = hears ? text('hears', gaps) : text('deaf', gaps);
      return element('i', { class: hears ? 'heard' : 'unheard', role: 'img', title, 'aria-label': title });
    };
    put('matriz', ...now.banks.map((bank) => element('tr', { class: bank.member ? 'member' : 'outside' },
      element('th', { scope: 'row' }, `${bank.bank} ${names[bank.bank]}`),
      ...now.banks.map((other) => cell(seen(bank, other))))));
  }

  function drawSummary(now, words) {
    const members = now.view && list(now.view.members.map((bank) => names[bank]));
    put('visao', now.view ? text('members', { visao: now.view.name, membros: members }) : text('no_view'));
    put('ritmo', now.rate.toLocaleString('pt-BR'));
    const latency = now.latency && { mediana: duration(now.latency[0]), p99: duration(now.latency[1]) };
    put('latencia', latency ? text('latency', latency) : text('no_latency'));
    put('avisos', ...words.notices.map((notice) => element('li', {}, notice)));
    put('perdas', now.lost ? text('lost', { fatos: now.lost }) : '');
  }

  function drawOrder(now) {
    const executed = now.events.filter((event) => event.executed).sort((a, b) => a.executed.position - b.executed.position);
    put('ordem', ...executed.map((event) => element('li', { 'data-id': event.id, class: event.id === selected ? 'selected' : null },
      element('button', { type: 'button', 'data-id': event.id, title: label(event) },
        element('span', { class: 'number' }, `#${event.executed.position}`), ` ${short(event)} `,
        element('span', { class: 'number' }, stamp(event.timestamp))))));
    by('sem-ordem').hidden = executed.length > 0;
    by('sem-ordem').textContent = text('none_executed');
    const waiting = now.events.filter(isWaiting);
    put('espera', ...waiting.map((event) => element('li', { 'data-id': event.id },
      element('button', { type: 'button', 'data-id': event.id }, text('event_title', { nome: short(event), banco: names[event.sender] })),
      ` ${stamp(event.timestamp)}. ${text('waits', { motivos: reasons(event) })}`)));
    by('sem-espera').hidden = waiting.length > 0;
    by('sem-espera').textContent = text('none_waits');
  }

  function came(event) {
    if (event.executed) {
      return text('executed', { posicao: event.executed.position, feitos: event.executed.done, pedidos: event.requests });
    }
    return isWaiting(event) ? text('waits', { motivos: reasons(event) }) : text('void');
  }

  function drawTable(now) {
    if (!by('tabela').open) return;
    put('eventos', ...now.events.map((event) => element('tr', {},
      element('th', { scope: 'row' }, element('button', { type: 'button', 'data-id': event.id }, short(event))),
      cell(names[event.sender]), cell(stamp(event.timestamp), { class: 'number' }), cell(String(event.sum), { class: 'number' }),
      cell(event.acknowledged.map(([bank]) => names[bank]).join(', ')), cell(came(event)))));
  }

  function steps(event) {
    const own = event.sender === me;
    const withClocks = (what) => (event.clocks ? `${what}: ${clocks(event)}` : what);
    const told = [[event.first, own ? withClocks(text('stamped')) : text('received', { banco: names[event.sender] })]];
    if (event.taken !== null) told.push([event.taken, own ? text('taken') : withClocks(text('taken'))]);
    for (const [bank, at] of event.acknowledged) told.push([at, text('acknowledged', { banco: names[bank] })]);
    if (event.executed) {
      const { at, position, done } = event.executed;
      told.push([at, text('executed_here', { posicao: position, feitos: done, pedidos: event.requests })]);
    }
    for (const [bank, at] of event.confirmed) told.push([at, text('confirmed', { banco: names[bank] })]);
    if (event.agreed !== null) told.push([event.agreed, text('agreed')]);
    if (event.void !== null) told.push([event.void, text('void')]);
    return told.sort((a, b) => a[0] - b[0]);
  }

  function whyHere(event, now) {
    if (!event.after) return [text('after_first')];
    const before = now.events.find((other) => other.id === event.after.id);
    const gaps = { antes: before ? short(before) : event.after.id, soma: before ? `${before.sum}, ${event.sum}` : event.sum };
    const rule = { view: () => text('after_view', gaps), sum: () => text('after_sum', gaps), bank: () => text('after_bank', gaps) };
    return [rule[event.after.by](), event.after.concurrent ? text('after_concurrent') : text('after_caused', gaps)];
  }

  function drawStory(now) {
    const event = now.events.find((other) => other.id === selected);
    by('historia').hidden = !event;
    if (!event) return;
    put('historia-titulo', text('event_title', { nome: short(event), banco: names[event.sender] }));
    put('historia-que', text('what', {
      id: event.id, carimbo: stamp(event.timestamp), soma: event.sum, visao: event.view, pedidos: event.requests,
    }));
    put('historia-passos', ...steps(event).map(([at, what]) => element('tr', {},
      cell(at > event.first ? `+${duration(at - event.first)}` : at < event.first ? `−${duration(event.first - at)}` : '0', { class: 'number' }), cell(what))));
    const related = now.events.map((other) => [relation(event, other), other]);
    const those = (kind) => related.filter(([how]) => how === kind).map(([, other]) => short(other));
    const facts = [came(event), ...whyHere(event, now)];
    if (those('future').length) facts.push(text('relation_future', { nome: those('future').join(', ') }));
    if (those('past').length) facts.push(text('relation_past', { nome: those('past').join(', ') }));
    if (those('concurrent').length) facts.push(text('relation_concurrent', { nome: those('concurrent').join(', ') }));
    put('historia-porque', ...facts.map((fact) => element('li', {}, fact)));
  }

  function drawWeather(weather) {
    if (!weather || !by('laboratorio')) return;
    put('atraso-agora', text('delay', { atraso: weather.delay_ms }));
    for (const link of document.querySelectorAll('[data-ligacao]')) {
      const bank = Number(link.dataset.ligacao);
      const state = weather.cut.includes(bank) ? 'cut' : weather.stopped.includes(bank) ? 'stopped' : 'healed';
      const words = { cut: () => text('link_cut'), stopped: () => text('link_stopped'), healed: () => text('link_healed') };
      if (link.textContent !== words[state]()) link.textContent = words[state]();
    }
  }

  function drawState() {
    const ago = latest && shown ? Math.max(0, latest.now.at - shown.now.at) : 0;
    by('situacao').textContent = offline ? text('offline') : paused ? text('paused', { tempo: duration(ago) }) : text('live');
    by('pausar').textContent = paused ? text('resume') : text('pause');
    by('pausar').setAttribute('aria-pressed', String(paused));
    by('adiante').disabled = !paused || !shown || shown.now.next === null;
    by('atras').disabled = !shown || shown.now.previous === null;
    root.dataset.at = shown ? shown.now.at : '';
  }

  function draw(told) {
    shown = told;
    drawSummary(told.now, told.words);
    drawBanks(told.now, told.words);
    drawMatrix(told.now);
    drawDiagram(told.now);
    drawOrder(told.now);
    drawTable(told.now);
    drawStory(told.now);
    drawState();
  }

  // What people do ---------------------------------------------------------------------------------------------

  function pause(stop) {
    paused = stop;
    if (!paused && latest) draw(latest);
    drawState();
  }

  async function step(towards) {
    const moment = shown && shown.now[towards];
    if (moment === null || moment === undefined) return;
    paused = true;
    const answer = await fetch(`/consorcio/estado?ate=${moment}`);
    if (answer.ok) draw(await answer.json());
  }

  function choose(id) {
    selected = selected === id ? null : id;
    current = id;
    if (shown) draw(shown);
  }

  function move(by_) {
    const events = shown ? shown.now.events : [];
    const at = events.findIndex((event) => event.id === current);
    const next = events[Math.min(events.length - 1, Math.max(0, at + by_))];
    if (!next) return;
    current = next.id;
    drawDiagram(shown.now);
    // Drawing has given the keyboard its old place back.
    focusOn(by('diagrama'), next.id);
  }

  by('pausar').addEventListener('click', () => pause(!paused));
  by('atras').addEventListener('click', () => step('previous'));
  by('adiante').addEventListener('click', () => step('next'));
  by('rolagem').addEventListener('scroll', keepNames);
  by('tabela').addEventListener('toggle', () => shown && drawTable(shown.now));
  root.addEventListener('click', (click) => {
    const target = click.target.closest('[data-id]');
    if (target) choose(target.dataset.id);
  });
  by('diagrama').addEventListener('keydown', (key) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 };
    if (key.key in moves) move(moves[key.key]);
    else if (key.key === 'Enter' || key.key === ' ') choose(current);
    else if (key.key === 'Escape') choose(selected);
    else return;
    key.preventDefault();
  });
  by('diagrama').addEventListener('focusin', (focus) => {
    const target = focus.target.closest('.dot');
    if (target) current = target.dataset.id;
  });
  for (const form of document.querySelectorAll('#laboratorio form')) {
    form.addEventListener('submit', async (submit) => {
      submit.preventDefault();
      const body = new URLSearchParams(new FormData(form, submit.submitter));
      const answer = await fetch(form.action, { method: 'POST', body, headers: { accept: 'application/json' } });
      if (answer.ok) drawWeather(await answer.json());
    });
  }

  const stream = new EventSource('/consorcio/eventos');
  stream.onmessage = (message) => {
    latest = JSON.parse(message.data);
    offline = false;
    drawWeather(latest.weather);
    if (paused) drawState();
    else draw(latest);
  };
  stream.onerror = () => {
    offline = true;
    drawState();
  };
})();
