// The work: what is made of the inputs. **This is yours to write.**
//
// As it was written by `septet new`, it counts the lines and bytes of each input and makes one JSON
// document for each output. The contract is kept and the stage runs; but the stages after it expect
// what docs/stages.md of Septet says, and refuse this document until it is that.

/** Inputs that must be there. */
export const INPUTS = {{inputs}};
/** Outputs that are written. */
export const OUTPUTS = {{outputs}};
/** How the outputs are written. */
export const MEDIA_TYPE = '{{media}}';

const NEW_LINE = 10;

/** What was counted of an input. It is fed piece by piece, so that no input need fit in memory. */
export class Counted {
  bytes = 0;
  #ended = 0;
  #open = false;

  /** Takes the next piece. */
  add(piece) {
    this.bytes += piece.length;
    for (const byte of piece) if (byte === NEW_LINE) this.#ended += 1;
    if (piece.length > 0) this.#open = piece[piece.length - 1] !== NEW_LINE;
  }

  /** Lines, the last one without an end included. */
  get lines() {
    return this.#ended + (this.#open ? 1 : 0);
  }
}

/** The text of an output. Equal inputs, parameters and seed must give equal bytes. */
export function document(output, inputs, parameters, seed) {
  return JSON.stringify({
    output,
    inputs: inputs.map(([name, { bytes, lines }]) => ({ name, bytes, lines })),
    parameters,
    // A seed is a BigInt, which JSON has no number for.
    seed: String(seed),
{{train}}    // What the predictor of an infer written by `septet new` answers for every row.
{{train}}    prediction: 0,
    made_by: '{{name}}',
  });
}
