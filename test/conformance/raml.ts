/**
 * The names in Marathon's RAML types: which properties an object of a type may have.
 *
 * Not a RAML parser: it knows the layout that these files keep (types at indent 2, properties at 6), follows parents,
 * unions, `alias.Type`, `Type[]` and `type: array` with items, and leaves maps and scalars alone.
 */
import { theirText } from './other-projects.ts';

const FOLDER = 'marathon/head/api/v2/types';

interface Type {
  readonly parent: string | undefined;
  /** Property → type expression. */
  readonly properties: ReadonlyMap<string, string>;
}

interface Library {
  readonly uses: ReadonlyMap<string, string>;
  readonly types: ReadonlyMap<string, Type>;
}

const libraries = new Map<string, Library>();

function library(file: string): Library {
  const known = libraries.get(file);
  if (known) return known;
  const read = parse(theirText(`${FOLDER}/${file}`));
  libraries.set(file, read);
  return read;
}

function parse(text: string): Library {
  const [head = '', body = ''] = text.split(/^types:$/m);
  const uses = [...head.matchAll(/^ {2}(\w+): (\S+\.raml)$/gm)].map(
    ([, alias = '', file = '']) => [alias, file] as const,
  );
  const types = body.split(/^(?= {2}\w+:)/m).flatMap((block) => {
    const name = /^ {2}(\w+):/m.exec(block)?.[1];
    return name === undefined ? [] : [[name, parseType(block)] as const];
  });
  return { uses: new Map(uses), types: new Map(types) };
}

function parseType(block: string): Type {
  const [head = '', body = ''] = block.split(/^ {4}properties:$/m);
  const properties = body.split(/^(?= {6}\S)/m).flatMap((property) => {
    const [, name, inline = ''] = /^ {6}([\w-]+)\??: *([^#\n]*)/.exec(property) ?? [];
    return name === undefined ? [] : [[name, inline.trim() || declared(property)] as const];
  });
  const parent = /^ {4}type: ([^#\n]+)/m.exec(head)?.[1] ?? /^ {2}\w+: ([^#\n]+)/m.exec(head)?.[1];
  return { parent: parent?.trim(), properties: new Map(properties) };
}

function declared(property: string): string {
  const type = /^ {8}type: *(\S+)/m.exec(property)?.[1] ?? '';
  const items = /^ {8}items: *(\S+)/m.exec(property)?.[1];
  return type === 'array' && items ? `${items}[]` : type;
}

/** Every path in the value that its type does not know; a map or a scalar is not looked into. */
export function unknownNames(value: unknown, file: string, type: string, path = ''): readonly string[] {
  if (Array.isArray(value)) {
    const item = type.replace(/\[\]$/, '');
    return value.flatMap((one, index) => unknownNames(one, file, item, `${path}/${index}`));
  }
  if (typeof value !== 'object' || value === null) return [];
  const fits = alternatives(file, type).map((one) => unknownIn(value, one, path));
  return fits.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function unknownIn(value: object, { file, type }: Reference, path: string): readonly string[] {
  const properties = propertiesOf(file, type);
  if (properties === undefined) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const known = properties.get(name);
    return known ? unknownNames(member, known.file, known.type, `${path}/${name}`) : [`${path}/${name}`];
  });
}

interface Reference {
  readonly file: string;
  readonly type: string;
}

function find(file: string, type: string): (Reference & { readonly found: Type }) | undefined {
  const [alias, name] = type.includes('.') ? type.split('.') : [undefined, type];
  const where = alias === undefined ? file : library(file).uses.get(alias);
  const found = where === undefined ? undefined : library(where).types.get(name ?? '');
  return where === undefined || found === undefined ? undefined : { file: where, type: name ?? '', found };
}

/** What a union may be; anything else is the one thing it is. */
function alternatives(file: string, type: string): readonly Reference[] {
  const parent = type.includes('|') ? type : find(file, type)?.found.parent;
  if (!parent?.includes('|')) return [{ file, type }];
  const where = type.includes('|') ? file : (find(file, type)?.file ?? file);
  return parent.split('|').flatMap((one) => alternatives(where, one.replaceAll(/[()\s]/g, '')));
}

/** Its own and its parents'; undefined: not an object type with named properties. */
function propertiesOf(file: string, type: string): ReadonlyMap<string, Reference> | undefined {
  const known = find(file, type);
  if (known === undefined) return undefined;
  const own = Array.from(known.found.properties, ([key, of]) => [key, { file: known.file, type: of }] as const);
  const inherited = known.found.parent === undefined ? undefined : propertiesOf(known.file, known.found.parent);
  const all = new Map([...(inherited ?? []), ...own]);
  return all.size > 0 ? all : undefined;
}
