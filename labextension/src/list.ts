/** A list that the server pages and searches: a table, a search field, "More". */
import type { Client, Page } from './client.js';
import { fill, h, labelled, redraw } from './dom.js';
import type { Child } from './dom.js';
import { meant } from './moments.js';
import { Say } from './say.js';
import { WORDS } from './words.js';

export interface Column<T> {
  title: string;
  /** What a row shows there. */
  cell: (item: T) => Child;
  /** It holds names without a space, which may be broken anywhere. */
  long?: boolean;
}

export interface Filter {
  name: string;
  label: string;
  /** The values to choose from; free text without. */
  values?: readonly string[];
  /** It is a moment, of the person's own clock. */
  moment?: boolean;
  /** What it is called to choose none of the values. */
  none?: string;
}

export interface ListOptions<T> {
  caption: string;
  path: string;
  columns: readonly Column<T>[];
  filters?: readonly Filter[];
  /** Sent with each request, whatever is chosen. */
  query?: Record<string, string>;
  empty: string;
  limit?: number;
  /** Told of each page that came, and whether it is the first. */
  onPage?: (page: Page<T>, first: boolean) => void;
}

/** How long somebody may go on typing before the server is asked. */
const TYPING = 250;

export class List<T> {
  readonly node: HTMLElement;
  readonly say = new Say();
  private readonly body = h('tbody');
  private readonly more: HTMLButtonElement;
  private readonly fields: readonly (HTMLInputElement | HTMLSelectElement)[];
  private readonly table: HTMLTableElement;
  private next: string | null = null;
  private count = 0;
  private asked = 0;

  constructor(
    private readonly client: Client,
    private readonly options: ListOptions<T>
  ) {
    this.more = h(
      'button',
      { type: 'button', hidden: true, onclick: () => void this.load(this.next) },
      WORDS.more
    );
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => void this.reload(), TYPING);
    };
    this.fields = (options.filters ?? []).map(filter =>
      filter.values
        ? h(
            'select',
            { name: filter.name, onchange: soon },
            h('option', { value: '' }, filter.none ?? WORDS.any),
            ...filter.values.map(value => h('option', { value }, value))
          )
        : h('input', {
            type: filter.moment ? 'datetime-local' : 'search',
            name: filter.name,
            oninput: soon,
            maxlength: 200,
            autocomplete: 'off'
          })
    );
    this.table = h(
      'table',
      {},
      h('caption', { class: 'authz-unseen' }, options.caption),
      h(
        'thead',
        {},
        h('tr', {}, ...options.columns.map(each => h('th', { scope: 'col' }, each.title)))
      ),
      this.body
    );
    this.node = h(
      'div',
      { class: 'authz-list' },
      this.fields.length === 0
        ? null
        : h(
            'form',
            {
              class: 'authz-row',
              role: 'search',
              onsubmit: event => {
                event.preventDefault();
              }
            },
            ...(options.filters ?? []).map((filter, n) =>
              labelled(filter.label, this.fields[n] as HTMLElement)
            )
          ),
      this.table,
      this.say.node,
      this.more
    );
    for (const [n, filter] of (options.filters ?? []).entries()) {
      this.hideIfEmpty(n, filter);
    }
  }

  /** Have values to choose from that only the server knows; without any there is no choice. */
  offer(name: string, values: readonly string[]): void {
    for (const [n, filter] of (this.options.filters ?? []).entries()) {
      const field = this.fields[n];
      if (filter.name !== name || !(field instanceof HTMLSelectElement)) {
        continue;
      }
      const known = new Set(Array.from(field.options, each => each.value));
      field.append(
        ...values.filter(value => !known.has(value)).map(value => h('option', { value }, value))
      );
      this.hideIfEmpty(n, filter);
    }
  }

  private hideIfEmpty(n: number, filter: Filter): void {
    const field = this.fields[n];
    if (filter.values && field instanceof HTMLSelectElement) {
      field.parentElement?.toggleAttribute('hidden', field.options.length < 2);
    }
  }

  /** Ask for the first page again. */
  async reload(): Promise<void> {
    await this.load(null);
  }

  private async load(after: string | null): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const query: Record<string, string | number | undefined> = {
      limit: this.options.limit ?? 50,
      after: after ?? undefined,
      ...this.options.query
    };
    for (const field of this.fields) {
      const typed = field.value.trim();
      query[field.name] = field.type === 'datetime-local' ? (meant(typed) ?? '') : typed;
    }
    this.more.disabled = true;
    this.node.setAttribute('aria-busy', 'true');
    await this.say.trying(async () => {
      const page = await this.client.get<Page<T>>(this.options.path, query);
      if (mine !== this.asked) {
        return;
      }
      this.options.onPage?.(page, after === null);
      const rows = page.items.map(item => this.row(item));
      if (after === null) {
        redraw(
          this.body,
          () => {
            fill(this.body, ...rows);
          },
          () => this.fields[0] ?? null
        );
        this.count = 0;
      } else {
        this.body.append(...rows);
      }
      this.count += rows.length;
      this.next = page.next;
      this.more.hidden = page.next === null;
      this.table.hidden = this.count === 0;
      this.say.done(
        this.count === 0
          ? this.options.empty
          : page.next === null
            ? WORDS.shownAll(this.count)
            : WORDS.shownFirst(this.count)
      );
      if (after !== null) {
        (rows[0]?.querySelector('button, a, select') as HTMLElement | null)?.focus();
      }
    });
    this.more.disabled = false;
    if (mine === this.asked) {
      this.node.removeAttribute('aria-busy');
    }
  }

  private row(item: T): HTMLTableRowElement {
    return h(
      'tr',
      {},
      ...this.options.columns.map(each =>
        h(
          'td',
          { 'data-label': each.title, class: each.long ? 'authz-long' : undefined },
          each.cell(item)
        )
      )
    );
  }
}
