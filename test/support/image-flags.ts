/** The flags that the image gives Node: for what is measured, or held to a limit, as the image has it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCKERFILE = join(import.meta.dirname, '..', '..', 'Dockerfile');

/** Of its ENTRYPOINT, between Node and the program. */
export function imageFlags(): readonly string[] {
  const [, entry = '[]'] = /^ENTRYPOINT (.*)$/m.exec(readFileSync(DOCKERFILE, 'utf8')) ?? [];
  return (JSON.parse(entry) as string[]).slice(1, -1);
}
