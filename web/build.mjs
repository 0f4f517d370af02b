/* Bundles the scripts and styles that the shop's pages and the console load into web/dist and refuses to let them grow: `node web/build.mjs`. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import * as esbuild from 'esbuild';
import { minify } from 'terser';

const web = dirname(fileURLToPath(import.meta.url));

// Budgets in bytes after gzip -9; WEB.md says where they come from.
const SCRIPTS = [
  { name: 'pz.js', sources: ['beacon.js'], budget: 3200, eager: true },
  { name: 'pz-recs.js', sources: ['widget.js'], budget: 2600 },
  { name: 'pz-all.js', sources: ['beacon.js', 'widget.js'], budget: 5500, eager: true },
  { name: 'demo.js', sources: ['demo/shop.js'], budget: 8000, eager: true },
];
// The console's, as modules: htmx is bundled in, and terser's unsafe shortcuts are not for code that is not ours.
const MODULES = [{ name: 'console.js', source: 'console/main.js', budget: 30000 }];
const COPIES = [{ name: 'icon.svg', source: 'demo/icon.svg', budget: 1000 }];
const STYLES = [
  { name: 'demo.css', source: 'demo/shop.css', budget: 12000 },
  { name: 'console.css', source: 'console/console.css', budget: 12000 },
];
// The typeface of the console and the licence that has to come with it; a font is compressed already.
const INTER = join(web, '../node_modules/@fontsource-variable/inter');
const FILES = [
  { name: 'inter.woff2', source: join(INTER, 'files/inter-latin-wght-normal.woff2'), budget: 50000 },
  { name: 'inter-license.txt', source: join(INTER, 'LICENSE'), budget: 3000 },
];

// Chromium then compiles all of a script beside the page's thread, while it loads, instead of function by function on it.
const EAGER = '//# allFunctionsCalledOnLoad\n';

/** One classic script, ES2020, ASCII only. */
async function script(sources, eager) {
  const parts = await Promise.all(
    sources.map(async (source) => {
      const built = await esbuild.build({
        entryPoints: [join(web, source)], bundle: true, write: false, format: 'iife', target: 'es2020', charset: 'ascii', legalComments: 'none',
      });
      return built.outputFiles[0].text;
    }),
  );
  const result = await minify(parts.join('\n'), {
    ecma: 2020,
    toplevel: true,
    compress: { passes: 4, unsafe_arrows: true, unsafe_methods: true, pure_getters: true, booleans_as_integers: false },
    mangle: true,
    format: { ascii_only: true, comments: false },
  });
  return (eager ? EAGER : '') + result.code + '\n';
}

async function module(source) {
  const built = await esbuild.build({
    entryPoints: [join(web, source)], bundle: true, minify: true, write: false, format: 'esm', target: 'es2022', charset: 'ascii', legalComments: 'none',
  });
  return built.outputFiles[0].text;
}

function hashed(name, content) {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const dot = name.lastIndexOf('.');
  return `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
}

/** Minified; `url(name)` of a file that is built too becomes its lasting name. */
async function style(source) {
  const told = await readFile(join(web, source), 'utf8');
  const css = FILES.reduce((text, file) => text.replaceAll(`url(${file.name})`, `url(/${hashed(file.name, file.text)})`), told);
  return (await esbuild.transform(css, { loader: 'css', minify: true, charset: 'ascii' })).code;
}

for (const file of FILES) file.text = await readFile(file.source);
const outputs = [
  ...(await Promise.all(SCRIPTS.map(async (s) => ({ ...s, text: await script(s.sources, s.eager) })))),
  ...(await Promise.all(MODULES.map(async (s) => ({ ...s, text: await module(s.source) })))),
  ...(await Promise.all(COPIES.map(async (s) => ({ ...s, text: await readFile(join(web, s.source), 'utf8') })))),
  ...(await Promise.all(STYLES.map(async (s) => ({ ...s, text: await style(s.source) })))),
  ...FILES,
].map((output) => ({ ...output, bytes: gzipSync(output.text, { level: 9 }).length }));

const dist = join(web, 'dist');
await mkdir(dist, { recursive: true });
const manifest = {};
for (const { name, text } of outputs) {
  manifest[name] = hashed(name, text);
  await writeFile(join(dist, name), text);
}
await writeFile(join(dist, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n');

const over = outputs.filter(({ bytes, budget }) => bytes > budget);
console.log(
  outputs
    .map(({ name, bytes, budget }) => `${name.padEnd(18)} ${String(bytes).padStart(6)} bytes gzip -9   budget ${String(budget).padStart(6)}`)
    .join('\n'),
);
if (over.length) {
  console.error(`over budget: ${over.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
