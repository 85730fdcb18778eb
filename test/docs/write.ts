/** `npm run docs`: writes the pages that are made from the source. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { troubleshooting } from './troubleshooting.ts';

const DOCS = join(import.meta.dirname, '..', '..', 'docs');
writeFileSync(join(DOCS, 'troubleshooting.md'), troubleshooting());
