/**
 * What must never be printed, made unreadable: for the log, the pages, the errors, and whatever else leaves as text.
 *
 * Apart from the log, which takes longer to load than the challenge port may stay closed.
 */

const DEEPEST_CAUSE = 5;

/** An error as its name and message, and those of what caused it. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (
    let at = error;
    at !== undefined && parts.length < DEEPEST_CAUSE;
    at = at instanceof Error ? at.cause : undefined
  )
    parts.push(at instanceof Error ? nameAndMessage(at) : String(at));
  return mask(parts.join('; caused by '));
}

/** The plain name says nothing; the others say which door it came through. */
function nameAndMessage(error: Error): string {
  return error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}

/** In JSON, in JSON within a string of JSON (`\"d\":\"`), or as plain text. */
const QUOTE = String.raw`\\*"`;
const SECRET_FIELDS = 'd|p|q|dp|dq|qi|k|token|password|secret|private_key|privateKey|keyPem|hmac';

/** Each rule keeps what says that there was something, and takes what it was. */
const RULES: readonly (readonly [RegExp, string])[] = [
  // A key that is cut off before its END line goes to the end of the string that it stands in.
  [/-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]*?(?:-----END \1PRIVATE KEY-----|(?=\\*"|$))/g, '[private key]'],
  [new RegExp(`(${QUOTE}(?:${SECRET_FIELDS})${QUOTE}\\s*:\\s*${QUOTE})[^"\\\\]+`, 'g'), '$1***'],
  [/(authorization[\\"'\s]*[:=,][\\"'\s]*)[^"'\\\r\n]+/gi, '$1***'],
  [/\b(Basic|Bearer) (?=\S*[A-Z0-9=])[A-Za-z0-9+/=._~-]{8,}/g, '$1 ***'],
  [/(token=)[^\s"'&,;\\]+/gi, '$1***'],
  [/eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*/g, '[jwt]'],
  [/(:\/\/)[^\s/@"'\\]+@/g, '$1***@'],
  // Whoever has the path of a webhook may post there.
  [/(:\/\/hooks\.slack(?:-gov)?\.com\/)[^\s"'\\]+/g, '$1***'],
];

/** For everything that leaves the process as text. */
export function mask(text: string): string {
  return RULES.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}

/** The link that ends a pause at Let's Encrypt (Boulder's unpause portal): whom we ask to open it has to see all of it. */
const UNPAUSE = /(\bunpause\?jwt=[A-Za-z0-9_.-]+)/;

/** For the operator's own eyes: the status. */
export function maskForOperator(text: string): string {
  const [plain = '', ...rest] = text.split(UNPAUSE);
  return mask(plain) + rest.map((part, index) => (index % 2 === 0 ? part : mask(part))).join('');
}
