// Makes the component transform.wasm of app.js: `npm run build`.

import { writeFile } from 'node:fs/promises';

import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'app.js',
  witPath: 'wit',
  worldName: 'user-transform',
  // A transform is given none of these, so the engine is built without them.
  disableFeatures: ['clocks', 'fetch-event', 'http', 'random', 'stdio'],
});
await writeFile('transform.wasm', component);
console.log(`transform.wasm: ${component.length} bytes`);
