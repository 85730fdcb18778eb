/**
 * A table of the page: on a narrow screen each row becomes a card, with the column's name before each cell.
 *
 * The roles stand there although they go without saying: a browser forgets them when a table is laid out as cards.
 */
import { type Html, html, type Part } from './html.ts';

/** The first cell of a row names the row. */
export function table(caption: string, columns: readonly string[], rows: readonly (readonly Part[])[]): Html {
  return html`<table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows.map((cells) => row(cells, columns))}</tbody>
</table>`;
}

function row([first, ...rest]: readonly Part[], [, ...names]: readonly string[]): Html {
  const cells = rest.map((cell, index) => {
    const isEmpty = cell === undefined || cell === '' || cell === false;
    const text = isEmpty ? html`<span class="none">–</span>` : cell;
    return html`<td role="cell" class="${isEmpty && 'empty'}"><span class="column" aria-hidden="true">${names[index]}</span><span>${text}</span></td>`;
  });
  return html`<tr role="row"><th role="rowheader" scope="row">${first}</th>${cells}</tr>`;
}
