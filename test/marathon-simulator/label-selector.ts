/**
 * The `label=` query of GET /v2/apps: Marathon's LabelSelector grammar.
 *
 *   query := sel ("," sel)*     sel := key | key ("==" | "!=") value | key ("in" | "notin") "(" value ("," value)* ")"
 *
 * `!=` and `notin` match only apps that have the label. Any character but [-A-Za-z0-9_.] must be escaped by "\".
 */
import { illegal } from './api-error.ts';

type Matcher = (labels: Readonly<Record<string, string>>) => boolean;

export function labelSelector(query: string): Matcher {
  const reader = new Reader(query);
  try {
    const selectors = reader.selectors();
    return (labels) => selectors.every((matches) => matches(labels));
  } catch (error) {
    throw illegal(`Can not parse label selector ${query}. Reason: ${(error as Error).message}`);
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  selectors(): readonly Matcher[] {
    if (this.#text.trim() === '') return [];
    const selectors = [this.#selector()];
    while (this.#take(',')) selectors.push(this.#selector());
    if (this.#rest() !== '') throw new Error(`end of input expected at '${this.#rest()}'`);
    return selectors;
  }

  #selector(): Matcher {
    const key = this.#term();
    if (this.#take('==')) return equal(key, this.#term());
    if (this.#take('!=')) return unequal(key, this.#term());
    if (this.#take('notin')) return notIn(key, this.#set());
    if (this.#take('in')) return isIn(key, this.#set());
    return (labels) => labels[key] !== undefined;
  }

  #set(): readonly string[] {
    this.#expect('(');
    const values = [this.#term()];
    while (this.#take(',')) values.push(this.#term());
    this.#expect(')');
    return values;
  }

  #term(): string {
    const found = /^(?:[-A-Za-z0-9_.]|\\.)+/.exec(this.#rest())?.[0];
    if (found === undefined) throw new Error(`string expected at '${this.#rest()}'`);
    this.#at = this.#text.length - this.#rest().length + found.length;
    return found.replace(/\\(.)/g, '$1');
  }

  #rest(): string {
    return this.#text.slice(this.#at).trimStart();
  }

  #take(token: string): boolean {
    const rest = this.#rest();
    if (!rest.startsWith(token)) return false;
    this.#at = this.#text.length - rest.length + token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw new Error(`'${token}' expected at '${this.#rest()}'`);
  }
}

const equal =
  (key: string, value: string): Matcher =>
  (labels) =>
    labels[key] === value;
const unequal =
  (key: string, value: string): Matcher =>
  (labels) =>
    key in labels && labels[key] !== value;
const isIn =
  (key: string, values: readonly string[]): Matcher =>
  (labels) =>
    values.includes(labels[key] ?? '\0');
const notIn =
  (key: string, values: readonly string[]): Matcher =>
  (labels) =>
    key in labels && !values.includes(labels[key] ?? '');
