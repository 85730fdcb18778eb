/**
 * Small readers for JSON that nobody has checked: each gives the value if it has the type, else undefined (or
 * nothing in the list). They never throw. Marathon up to 1.4 writes `null` where later ones leave the field out, so
 * both read the same here.
 */
export type Json = Readonly<Record<string, unknown>>;

export function record(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

export function records(value: unknown): readonly Json[] {
  return list(value)
    .map(record)
    .filter((item) => item !== undefined);
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** An ISO time as an instant. Its text is never compared: writers differ in the digits of the fraction. */
export function instant(value: unknown): Date | undefined {
  const date = new Date(text(value) ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
