/** For the tests, which are TypeScript; the build itself runs where nothing but esbuild is installed. */
import type { Metafile, Plugin } from 'esbuild';

export function bundle(outdir: string): Promise<Metafile>;
export const builtinsAsTheyAre: Plugin;

export const REQUIRE: { readonly js: string };
