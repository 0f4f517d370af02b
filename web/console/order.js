/* Lists that are put in order: by dragging, or with the arrows of each entry, which keep the focus and say where it is now. */
export function watchOrder() {
  let dragged;
  const moved = (entry) => {
    const list = entry.parentElement;
    const said = list.parentElement.querySelector('[data-said]');
    if (said) said.textContent = `${entry.dataset.name}: place ${[...list.children].indexOf(entry) + 1} of ${list.children.length}`;
    entry.dispatchEvent(new Event('input', { bubbles: true })); // the preview follows, and the form is not left unasked
  };
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-move]');
    const entry = button?.closest('[data-order] > *');
    if (!entry) return;
    event.preventDefault();
    const up = button.dataset.move === 'up';
    const other = up ? entry.previousElementSibling : entry.nextElementSibling;
    if (!other) return;
    other[up ? 'before' : 'after'](entry);
    button.focus();
    moved(entry);
  });
  // Only the grip drags: text in the entry's fields stays selectable.
  document.addEventListener('pointerdown', (event) => {
    const entry = event.target.closest('.grip')?.closest('[data-order] > *');
    if (entry) entry.draggable = true;
  });
  document.addEventListener('dragstart', (event) => {
    if (!event.target.matches?.('[data-order] > [draggable=true]')) return;
    dragged = event.target;
    event.dataTransfer.effectAllowed = 'move';
    dragged.classList.add('dragged');
  });
  document.addEventListener('dragover', (event) => {
    const over = dragged && event.target.closest?.('[data-order] > *');
    if (!over || over.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    if (over !== dragged) over[event.clientY < box.top + box.height / 2 ? 'before' : 'after'](dragged);
  });
  document.addEventListener('dragend', () => {
    if (!dragged) return;
    dragged.classList.remove('dragged');
    dragged.draggable = false;
    moved(dragged);
    dragged = undefined;
  });
}
