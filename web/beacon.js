/* The beacon: tells the shop's server what a visitor does, exactly as far as that visitor agreed.
 *
 * A guest on someone's page: no dependencies, no cookies, no query strings, never throws, never calls preventDefault.
 *
 *   <script defer src="/pz.js" data-key="pk_…" data-consent="pending"></script>
 *   pz('consent', 'granted', {purposes: ['vault.searches'], version: '2026-11'})   the visitor's explicit decision
 *   pz('add_to_cart', {items: [{item_id: 'SKU1', price: 19.9, quantity: 1}], currency: 'EUR', value: 19.9})
 *   pz('identify', userId, signature)    pz('set', {region: 'FR', signals: {tcf: '…'}})    pz('visitor')    pz('page')    pz('flush')
 *
 * Consent:  pending    events wait in memory (at most 50); nothing is stored, nothing is sent
 *           granted    random id in localStorage        session    the visit's random id in sessionStorage
 *           anonymous  events without any id, no storage        denied    nothing at all
 * What lies in storage is one entry, "pz": {a: visitor, s: session, t: last activity, q: unacknowledged purchases, k: clicked shelves}.
 *
 * In the markup:  [data-pz-list=placement][data-pz-token] around cards [data-pz-item][data-pz-index][data-pz-price]
 *                 [data-pz-event=add_to_cart] on a button;  <script type="application/json" data-pz-event="purchase">{…}</script>
 * Without any:    what dataLayer is told for Google (gtag('event' | 'consent', …), {event, ecommerce}) and a schema.org Product
 *                 in the page. data-consent="google": the visitor's state is what Google Consent Mode is told.
 */
(() => {
  const doc = document;
  const script = doc.currentScript || doc.querySelector('[data-key]');
  const early = window.pz;
  if (!script || (early && early.on)) return; // no key, or a second copy of this file
  const options = script.dataset;

  const endpoint = options.endpoint || new URL('/v1/events', script.src);
  const google = options.consent == 'google' && !navigator.globalPrivacyControl;

  let state = 'pending';
  let purposes;
  let version;
  let user;
  const gcm = {}; // what Google Consent Mode was told
  let extras = {}; // what the shop says about the page: region, signals (consent strings: tcf, gpp, gcm)
  let memo = {}; // what storage holds, also when storage refuses
  let queue = [];
  let era = 0; // counts consent decisions: what was in flight under an older one is not put back
  let busy, timer, failures, stopped;
  let view, here, item, seen, shown, shownTimer;
  let engaged, last, active, deepest;
  let sequence = 0;

  const guard = (work) => (...args) => {
    try {
      return work(...args);
    } catch (e) {
      /* a guest keeps its troubles to itself */
    }
  };
  const listen = (target, names, work) =>
    names.split(' ').map((name) => target.addEventListener(name, guard(work), { capture: true, passive: true }));
  const random = (bytes) =>
    Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => (b + 256).toString(16).slice(1)).join('');
  const tab = random(6);
  const known = () => state == 'granted' || state == 'session';

  // ---- storage: one entry, only with consent to store
  const area = () => (state == 'granted' ? localStorage : sessionStorage);
  const load = () => {
    guard(() => known() && (memo = JSON.parse(area().getItem('pz')) || memo))();
    return memo;
  };
  const save = () => guard(() => known() && area().setItem('pz', JSON.stringify(memo)))();
  const erase = () => {
    state == 'granted' || guard(() => localStorage.removeItem('pz'))();
    state == 'session' || guard(() => sessionStorage.removeItem('pz'))();
  };

  /** Who is asking, as far as consent allows: what every batch and every recommendation request carries. */
  const visitor = () => {
    const who = { consent: state, purposes, consent_version: version };
    if (known()) {
      const now = Date.now();
      load();
      if (state == 'granted') memo.a = memo.a || random(16);
      memo.s = now - memo.t < 18e5 ? memo.s : random(16); // a visit ends after 30 idle minutes
      memo.t = now;
      save();
      Object.assign(who, { anon: memo.a, session: memo.s, signals: extras.signals }, user);
    }
    return who;
  };

  // ---- sending
  const envelope = (who, events) =>
    JSON.stringify({
      v: 1, key: options.key, sent: Date.now(), ...who, page: here, locale: doc.documentElement.lang, ...extras, signals: who.signals, events,
    });
  const post = (body) => fetch(endpoint, { method: 'POST', body, keepalive: true, credentials: 'omit' });

  const later = (ms) => (timer = timer || setTimeout(flush, ms));
  const flush = guard((hiding) => {
    clearTimeout(timer);
    timer = 0;
    if (!queue.length || stopped || state == 'pending' || (busy && !hiding)) return;
    let size = 0;
    let count = 0;
    // 20,000 characters are at most 60 KB: under the server's cap and the browser's 64 KB for keepalive
    while (count < 99 && count < queue.length && (size += JSON.stringify(queue[count]).length) < 2e4) count++;
    const events = queue.splice(0, count || 1);
    const body = envelope(visitor(), events);
    if (hiding && guard(() => navigator.sendBeacon(endpoint, body))()) return flush(1);
    const began = era;
    busy = 1;
    post(body)
      .then((answer) => {
        const status = answer.status;
        if (status == 410) stopped = queue = [];
        if (status > 499 || status == 429 || status == 408) throw 0;
        if (load().q) memo.q = memo.q.filter((e) => !events.some((sent) => sent.id == e.id));
        save();
        failures = busy = 0;
        doc.dispatchEvent(new CustomEvent('pz:sent', { detail: { status, events } }));
        if (queue.length) later(1);
      })
      .catch(() => {
        busy = 0;
        if (era != began) return;
        queue = events.concat(queue);
        failures = Math.min(-~failures, 6);
        later(2 ** failures * 500 * (1 + Math.random()));
      });
  });

  // ---- events
  const track = (name, params = {}) => {
    if (!name || stopped || state == 'denied') return;
    const items = params.items || [];
    const first = items[0] && !/list|select/.test(name) ? items[0].item_id : item;
    if (name == 'view_item') {
      if (item && item == first) return; // dataLayer, markup and JSON-LD may all tell of one view
      item = first;
    }
    items.map((i) => {
      // the shelf that was clicked gets the credit for what is bought later
      const clicks = memo.k || [];
      if (name == 'select_item') {
        memo.k = clicks.concat([[i.item_id, i.token, i.item_list_id]]).slice(-20);
        save();
      } else if (!i.token) clicks.map((c) => c[0] == i.item_id && ([, i.token, i.item_list_id] = c));
    });
    const nameless = state == 'anonymous';
    const event = {
      id: nameless ? random(8) : tab + '-' + sequence++,
      name,
      ts: Date.now(),
      page: nameless ? undefined : view,
      item: first,
      params,
    };
    // sent at once, and kept until the server has said yes
    const once = /purchase|add_to_cart|refund/.test(name);
    if (queue.length < (state == 'pending' ? 50 : 200)) queue.push(event);
    if (once && known()) {
      load().q = (memo.q || []).concat(event).slice(-100);
      save();
    }
    once || queue.length > 9 ? flush() : later(1e3);
  };

  // ---- consent
  const decide = (next, { purposes: named, version: text } = {}) => {
    if (!/^(pending|granted|session|anonymous)$/.test(next)) next = 'denied'; // what cannot be read is a no
    const changed = next != state;
    if (!changed && '' + named == '' + purposes) return;
    const who = known() && visitor();
    era++;
    if (changed && next != 'granted') memo = {};
    if (next == 'denied' || (who && next == 'anonymous')) queue = [];
    state = next;
    purposes = named;
    version = text || version;
    erase();
    if (who) {
      // the server hears of a change under the id it knows; a visitor who never agreed to anything is not heard of
      const was = who.anon && next == 'session' ? 'denied' : next; // what outlives the visit ends here
      post(envelope({ ...who, consent: was, purposes, consent_version: version }, [
        { id: tab + '-' + sequence++, name: 'consent_update', ts: Date.now() },
      ])).catch(() => {});
    } else if (known()) queue = (load().q || []).concat(queue);
    if (next == 'anonymous') {
      // what waited under "pending" loses its ids
      queue.map((e) => ((e.id = random(8)), (e.page = undefined)));
    }
    doc.dispatchEvent(new CustomEvent('pz:consent', { detail: next }));
    flush();
  };

  // ---- what the markup says
  const card = (el) => {
    const box = el.closest('[data-pz-item]');
    if (!box) return;
    const { pzItem, pzIndex, pzPrice, pzQuantity } = box.dataset;
    const list = box.closest('[data-pz-list]');
    const { pzList, pzToken } = list ? list.dataset : box.dataset;
    return {
      item_id: pzItem,
      index: +pzIndex,
      item_list_id: pzList,
      token: pzToken,
      price: +pzPrice,
      quantity: +pzQuantity || 1,
    };
  };
  listen(doc, 'click auxclick', (e) => {
    const el = e.button < 2 && e.target.closest('a[href],[data-pz-event]');
    const it = el && card(el);
    const name = el && (el.dataset.pzEvent || (it && it.item_list_id && 'select_item'));
    if (!name) return;
    const currency = el.closest('[data-pz-currency]');
    track(name, {
      items: it && [it],
      currency: currency && currency.dataset.pzCurrency,
      value: it && it.price * it.quantity, // NaN is null in JSON
    });
  });

  // ---- impressions: half of the card for one second, once per page view, told per shelf
  const waiting = new Map();
  const impressions = guard(() => {
    clearTimeout(shownTimer);
    shownTimer = 0;
    for (const list in shown) track('view_item_list', { item_list_id: list, items: shown[list] });
    shown = {};
  });
  const observer = new IntersectionObserver(
    guard((entries) =>
      entries.map(({ target, isIntersecting }) => {
        clearTimeout(waiting.get(target));
        waiting.delete(target);
        if (!isIntersecting) return;
        waiting.set(
          target,
          setTimeout(
            guard(() => {
              waiting.delete(target);
              const it = card(target);
              const key = [it.item_list_id, it.item_id] + '';
              if (doc.hidden || seen.has(key)) return;
              seen.add(key);
              observer.unobserve(target);
              (shown[it.item_list_id] = shown[it.item_list_id] || []).push(it);
              shownTimer = shownTimer || setTimeout(impressions, 500);
            }),
            1e3,
          ),
        );
      }),
    ),
    { threshold: 0.5 },
  );
  const told = new WeakSet();
  let scanTimer;
  const scan = guard(() => {
    scanTimer = 0;
    doc.querySelectorAll('[data-pz-list] [data-pz-item]').forEach((el) => observer.observe(el));
    doc.querySelectorAll('script[data-pz-event]').forEach((el) => {
      if (told.has(el)) return;
      told.add(el);
      track(el.dataset.pzEvent, JSON.parse(el.textContent));
    });
  });

  // ---- what the page tells others already
  const heard = guard((entry) => {
    const [what, name, told] = entry.event ? ['event', entry.event, entry.ecommerce || entry] : entry;
    const { items, value, currency, search_term, item_list_id, transaction_id } = told;
    if (what == 'event' && /^(view_[ics]|select_i|sea|add_t|rem|beg|pur|ref)/.test(name))
      track(name, { items, value, currency, search_term, item_list_id, transaction_id });
    if (what == 'consent') {
      extras.signals = { ...extras.signals, gcm: Object.assign(gcm, told) };
      const next = gcm.personalization_storage || gcm.analytics_storage;
      if (google && (next == 'granted' || name == 'update')) decide(next);
    }
  });
  const product = guard(() => {
    // on loads only: after pushState it still describes the page before
    doc.querySelectorAll('[type="application/ld+json"]').forEach((el) => {
      const told = JSON.parse(el.textContent);
      [].concat(told['@graph'] || told).map((it) => {
        if (it.sku && it['@type'] == 'Product') track('view_item', { items: [{ item_id: it.sku }] });
      });
    });
  });
  const watch = () => {
    waiting.forEach(clearTimeout);
    observer.disconnect();
    scan();
  };

  // ---- engaged time: visible, focused, and something moved within the last 30 seconds
  const beat = (e) => {
    const now = performance.now();
    if (active) engaged += Math.min(now - last, 3e4);
    last = now;
    active = !doc.hidden && doc.hasFocus();
    if (e && e.type > 's') deepest = Math.max(deepest, scrollY); // a scroll: at any other time asking would force a layout
  };
  const engagement = () => {
    beat();
    if (engaged < 1e3) return;
    track('user_engagement', {
      engagement_time_msec: engaged | 0,
      percent_scrolled: (((deepest + innerHeight) / doc.documentElement.scrollHeight) * 100) | 0,
    });
    engaged = 0;
  };

  // ---- pages
  const page = () => {
    if (here) leave();
    here = { url: location.pathname, ref: here ? here.url : doc.referrer.split(/[?#]/)[0] };
    view = random(6);
    seen = new Set();
    shown = {};
    item = undefined;
    engaged = deepest = 0;
    beat();
    track('page_view');
    watch();
  };
  const start = guard(() => {
    const calls = (early && early.q) || [];
    window.pz = guard((name, a, b) => (commands[name] || track.bind(0, name))(a, b));
    window.pz.on = 1;
    calls.map((call) => window.pz(...call));
    const initial = google ? state : options.consent || state;
    if (state == 'pending') decide(navigator.globalPrivacyControl && initial != 'denied' ? 'anonymous' : initial);
    page();
    guard(() => {
      const layer = (window.dataLayer = window.dataLayer || []);
      const push = layer.push;
      layer.forEach(heard);
      layer.push = (...told) => {
        told.forEach(heard);
        return push.apply(layer, told);
      };
    })();
    item || product();
    new MutationObserver(() => (scanTimer = scanTimer || setTimeout(scan, 200))).observe(doc, { childList: true, subtree: true });
    listen(window, 'pointerdown pointermove keydown scroll focus blur', beat);
    listen(doc, 'visibilitychange', () => {
      if (!doc.hidden) {
        beat();
        watch();
      } else leave(1);
    });
    listen(window, 'pagehide', leave);
    listen(window, 'pageshow', (e) => e.persisted && page());
    listen(window, 'popstate', moved);
    listen(window, 'online', () => flush());
    listen(window, 'storage', () => {
      // another tab withdrew: wait until the shop says what holds now
      if (state == 'granted' && !localStorage.getItem('pz')) {
        era++;
        queue = [];
        memo = {};
        state = 'pending';
      }
    });
    ['pushState', 'replaceState'].map((name) => {
      const original = history[name];
      history[name] = function (...args) {
        const result = original.apply(this, args);
        guard(moved)();
        return result;
      };
    });
  });
  const moved = () => location.pathname != here.url && page();
  const leave = (hiding) => {
    impressions();
    engagement();
    flush(hiding);
  };
  const commands = {
    consent: decide,
    identify: (id, signature) => (user = id ? { user: id, user_sig: signature } : undefined),
    set: (more) => Object.assign(extras, more),
    visitor,
    page,
    flush,
  };

  if (doc.prerendering) listen(doc, 'prerenderingchange', start);
  else start();
})();
