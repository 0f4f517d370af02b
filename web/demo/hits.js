/* What matches while one types, on every page but the search's own, which shows its whole list. */
import { $, fill, find, make } from './basics.js';

const field = $('q');
const hits = $('hits');
if (!$('results')) {
  let typing;
  const close = () => (hits.hidden = true);
  const show = (query, { items, token, total }) => {
    const list = make('ul');
    list.setAttribute('role', 'list');
    Object.assign(list.dataset, { pzList: 'search', pzToken: token || '' });
    items.forEach((item, i) => {
      const li = make('li');
      fill(li, item);
      Object.assign(li.dataset, { pzItem: item.id, pzIndex: i });
      list.append(li);
    });
    const more = make('button', total > items.length ? `All ${total} matches` : 'Open the search', 'link');
    hits.replaceChildren(items.length ? list : make('p', `Nothing matches \u201c${query}\u201d yet.`, 'soft'), more);
    hits.hidden = false;
  };
  const look = async () => {
    const query = field.value.trim();
    if (query.length < 2) return close();
    try {
      const found = await find(query, 6);
      if (query == field.value.trim() && field.form.contains(document.activeElement)) show(query, found);
    } catch (error) {
      close();
    }
  };
  field.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(look, 150);
  });
  field.form.addEventListener('keydown', (e) => {
    if (e.key != 'Escape' || hits.hidden) return;
    close();
    field.focus();
  });
  document.addEventListener('focusin', (e) => field.form.contains(e.target) || close());
  document.addEventListener('click', (e) => field.form.contains(e.target) || close());
}
