// The console works without this file: every action is a link or a form. Here is only what makes it quicker to use.
// Loaded in <head> without defer, so that a chosen theme is there before the first paint.
(() => {
  'use strict';

  const root = document.documentElement;
  root.classList.add('js');

  // Storage may be forbidden; the console then forgets choices and works all the same.
  const store = {
    get(key) { try { return localStorage.getItem('tb.' + key); } catch { return null; } },
    set(key, value) {
      try {
        if (value === null) localStorage.removeItem('tb.' + key);
        else localStorage.setItem('tb.' + key, value);
      } catch { /* see above */ }
    },
  };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- Theme ---------------------------------------------------------------------------------------------------

  const THEMES = [null, 'light', 'dark'];

  function applyTheme(theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  }
  applyTheme(store.get('theme'));

  function nameTheme() {
    const theme = store.get('theme');
    for (const button of all('[data-theme-toggle]')) {
      button.textContent = 'Theme: ' + (theme || 'auto');
    }
  }

  function nextTheme() {
    const next = THEMES[(THEMES.indexOf(store.get('theme')) + 1) % THEMES.length];
    store.set('theme', next);
    applyTheme(next);
    nameTheme();
  }

  // --- Time ----------------------------------------------------------------------------------------------------

  // The server's clock counts: a laptop that is five minutes off must not turn "due" into "overdue".
  let skew = 0;
  const now = () => Date.now() + skew;
  const readClock = () => { if (root.dataset.now) skew = Date.parse(root.dataset.now) - Date.now(); };

  const UNITS = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];

  function relative(ms) {
    const seconds = Math.round(Math.abs(ms) / 1000);
    if (seconds < 2) return 'now';
    const at = UNITS.findIndex(([size]) => seconds >= size);
    const [size, unit] = UNITS[at];
    let text = Math.floor(seconds / size) + ' ' + unit;
    const finer = UNITS[at + 1];
    // "1 h 50 min" and "1 h 5 min" are different answers; "3 d 2 h" and "3 d 5 h" hardly are.
    if (unit === 'h' && seconds < 10 * size) {
      const rest = Math.floor((seconds % size) / finer[0]);
      if (rest) text += ' ' + rest + ' ' + finer[1];
    }
    return ms > 0 ? 'in ' + text : text + ' ago';
  }

  function tellTimes(within) {
    for (const time of all('time[data-rel]', within)) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      if (!time.title) time.title = time.textContent;
      time.textContent = relative(at - now());
    }
  }

  // --- Live ----------------------------------------------------------------------------------------------------

  // Regions say <section data-live="5" hx-get="" hx-trigger="tick" hx-select="#id" hx-swap="outerHTML">. The ticks come
  // from here and not from "every 5s", whose conditions htmx would have to evaluate as code.
  const live = { held: store.get('live') === 'off', failed: null, last: Date.now(), due: new Map() };

  function whyPaused() {
    if (live.held) return 'Paused';
    if (document.hidden || !document.hasFocus()) return 'Paused: window not in front';
    if (document.querySelector('dialog[open]')) return 'Paused: dialog open';
    if (document.querySelector('[data-pick]:checked')) return 'Paused: rows are ticked';
    const field = document.activeElement;
    if (field && field.closest('[data-live]') && field.matches('input, select, textarea')) return 'Paused: you are typing';
    return null;
  }

  function showLive() {
    const button = document.querySelector('[data-live-toggle]');
    if (!button) return;
    const paused = whyPaused();
    const state = live.failed ? 'failed' : paused ? 'paused' : 'live';
    const text = live.failed || paused || 'Live';
    if (button.dataset.state === state && button.textContent === text) return;
    button.dataset.state = state;
    button.textContent = text;
    button.title = live.held ? 'Press to go on' : 'Press to pause';
    button.setAttribute('aria-pressed', String(live.held));
    // Only what needs somebody is spoken; the coming and going of focus is not.
    if (live.failed) say(live.failed);
  }

  function say(text) {
    const region = document.querySelector('[data-say]');
    if (region) region.textContent = text;
  }

  function tick() {
    tellTimes(document);
    showLive();
    const regions = all('[data-live]');
    if (whyPaused() || !window.htmx) return;
    for (const region of regions) {
      const due = live.due.get(region.id);
      if (due === undefined) live.due.set(region.id, Date.now() + region.dataset.live * 1000);
      else if (Date.now() >= due) {
        live.due.set(region.id, Date.now() + region.dataset.live * 1000);
        window.htmx.trigger(region, 'tick');
      }
    }
  }

  function onFailure(event) {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    const since = new Date(live.last + skew).toISOString().slice(11, 19);
    live.failed = status === 401 ? 'Session ended: reload to sign in' : 'No answer. Shown: ' + since + ' UTC';
    showLive();
  }

  let opened = [];

  // On a phone the filters would push the list off the screen.
  function fold() {
    if (!window.matchMedia('(max-width: 40rem)').matches) return;
    for (const details of all('details[data-fold]')) {
      if (!opened.includes(details.id)) details.removeAttribute('open');
    }
  }

  function wireLive() {
    document.addEventListener('htmx:responseError', onFailure);
    document.addEventListener('htmx:sendError', onFailure);
    document.addEventListener('htmx:timeout', onFailure);
    document.addEventListener('htmx:beforeSwap', (event) => {
      // An answer that comes after somebody began to tick rows or to type must not take that away.
      if (event.detail.target.closest('[data-live]') && whyPaused()) event.detail.shouldSwap = false;
      opened = all('details[id][open]').map((details) => details.id);
    });
    document.addEventListener('htmx:afterSettle', () => {
      live.failed = null;
      live.last = Date.now();
      for (const id of opened) document.getElementById(id)?.setAttribute('open', '');
      fold();
      prepare(document);
    });
    for (const name of ['focus', 'blur']) window.addEventListener(name, showLive);
    document.addEventListener('visibilitychange', showLive);
    setInterval(tick, 1000);
  }

  // --- Rows ----------------------------------------------------------------------------------------------------

  // Without script the form has one box a row and two radios: "ticked rows" and "all that match". This adds the box over
  // all rows, keeps the radios in step, and says how many.
  function countPicked(form) {
    const boxes = all('[data-pick]', form);
    const ticked = boxes.filter((box) => box.checked).length;
    const over = form.querySelector('[data-pick-all]');
    if (over) {
      over.checked = boxes.length > 0 && ticked === boxes.length;
      over.indeterminate = ticked > 0 && ticked < boxes.length;
    }
    const matching = form.querySelector('[data-scope="matching"]');
    const label = form.querySelector('[data-picked]');
    if (label) label.textContent = ticked === boxes.length && ticked ? `all ${ticked} on this page` : `${ticked} ticked`;
    const some = ticked > 0 || (matching && matching.checked);
    for (const button of all('[data-needs-pick]', form)) button.disabled = !some;
  }

  function onPick(target) {
    const form = target.closest('[data-pick-form]');
    if (!form) return;
    if (target.matches('[data-pick-all]')) {
      for (const box of all('[data-pick]', form)) box.checked = target.checked;
    }
    if (target.matches('[data-pick], [data-pick-all]')) {
      const selected = form.querySelector('[data-scope="selected"]');
      if (selected) selected.checked = true;
    }
    countPicked(form);
    showLive();
  }

  // Shift extends from the row that was ticked last, as in every list that people know.
  let lastPicked = null;

  function onPickClick(event) {
    const box = event.target.closest('[data-pick]');
    if (!box) return;
    const boxes = all('[data-pick]', box.closest('[data-pick-form]'));
    const from = boxes.indexOf(lastPicked);
    if (event.shiftKey && from >= 0) {
      const to = boxes.indexOf(box);
      for (const between of boxes.slice(Math.min(from, to), Math.max(from, to) + 1)) between.checked = box.checked;
    }
    lastPicked = box;
  }

  // --- Keys ----------------------------------------------------------------------------------------------------

  let leader = 0;

  function onKey(event) {
    if (store.get('keys') === 'off' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, select, textarea, [contenteditable], dialog[open]')) return;
    if (event.key === '/') {
      const field = document.querySelector('main [data-search]') || document.querySelector('[data-search]');
      if (!field) return;
      event.preventDefault();
      field.closest('details')?.setAttribute('open', '');
      field.focus();
      field.select();
    } else if (event.key === '?') {
      event.preventDefault();
      openDialog('help');
    } else if (event.key === 'g') {
      leader = Date.now();
    } else if (Date.now() - leader < 1500) {
      leader = 0;
      const link = all('nav a[data-key]').find((a) => a.dataset.key === event.key);
      if (link) {
        event.preventDefault();
        location.assign(link.href);
      }
    }
  }

  // --- Dialogs -------------------------------------------------------------------------------------------------

  function openDialog(id) {
    const dialog = document.getElementById(id);
    if (dialog && !dialog.open) dialog.showModal();
  }

  // --- Start ---------------------------------------------------------------------------------------------------

  function prepare(within) {
    tellTimes(within);
    for (const form of all('[data-pick-form]', within)) countPicked(form);
    showLive();
  }

  function onClick(event) {
    const target = event.target.closest('button, a, summary');
    onPickClick(event);
    if (!target) return;
    if (target.matches('[data-theme-toggle]')) nextTheme();
    if (target.matches('[data-live-toggle]')) {
      live.held = !live.held;
      store.set('live', live.held ? 'off' : null);
      showLive();
    }
    if (target.dataset.open) openDialog(target.dataset.open);
    if (target.dataset.copy) {
      navigator.clipboard?.writeText(target.dataset.copy).then(() => say('Copied.'), () => say('Not copied: the browser forbids it.'));
    }
  }

  function onChange(event) {
    if (event.target.closest('[data-pick-form]')) onPick(event.target);
    if (event.target.matches('[data-keys-switch]')) store.set('keys', event.target.checked ? null : 'off');
  }

  document.addEventListener('DOMContentLoaded', () => {
    readClock();
    nameTheme();
    fold();
    wireLive();
    document.addEventListener('click', onClick);
    document.addEventListener('change', onChange);
    document.addEventListener('keydown', onKey);
    // A page from the history comes back with its ticks, after this event.
    window.addEventListener('pageshow', () => prepare(document));
    const keys = document.querySelector('[data-keys-switch]');
    if (keys) keys.checked = store.get('keys') !== 'off';
    prepare(document);
  });
})();
