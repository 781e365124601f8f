// Sorting by a column's head, and filtering by words. Without scripts the page shows all rows as they are.
'use strict';

function orderOf(row, column) {
  const cell = row.cells[column];
  const order = cell && cell.dataset.order;
  return order === undefined ? (cell ? cell.textContent : '') : Number(order);
}

// Numbers before texts, and what is not known last, whatever the direction.
function compare(a, b, direction) {
  const known = [a, b].map((x) => x !== '' && x !== 'NA' && x !== '\u2013');
  if (!known[0] || !known[1]) return known[1] - known[0];
  if (typeof a === 'number' && typeof b === 'number') return direction * (a - b);
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return direction * a.localeCompare(b, 'en', { numeric: true });
}

function sortBy(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const direction = heads[column].getAttribute('aria-sort') === 'ascending' ? -1 : 1;
  heads.forEach((head, i) => {
    if (i === column) head.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
    else head.removeAttribute('aria-sort');
  });
  const rows = [...table.tBodies[0].rows].map((row) => [orderOf(row, column), row]);
  rows.sort((a, b) => compare(a[0], b[0], direction));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll('table.sortable')) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => sortBy(table, column));
  });
}

function filter(input, table, found) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += !row.hidden;
  }
  found.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length} rows` : '';
}

for (const input of document.querySelectorAll('input[data-filter]')) {
  const table = document.getElementById(input.dataset.filter);
  const found = document.querySelector(`[data-found="${input.dataset.filter}"]`);
  input.closest('.filter').hidden = false;
  input.addEventListener('input', () => filter(input, table, found));
  // A link to a row that is filtered out shows it.
  window.addEventListener('hashchange', () => {
    const row = document.getElementById(location.hash.slice(1));
    if (!row || !row.hidden) return;
    input.value = '';
    filter(input, table, found);
    row.scrollIntoView();
  });
}
