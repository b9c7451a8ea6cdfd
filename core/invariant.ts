/** Something that the code relies on does not hold: a bug, or a dependency that breaks its contract. */
export class InvariantViolated extends Error {
  override readonly name = "InvariantViolated";
}

/**
 * Throws unless a condition holds. Inside an effect that is a defect: no caller recovers from it.
 *
 * @param message what was expected, and what was found instead
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantViolated(message);
}

/** The value itself, if there is one; throws where its absence would break an invariant. */
export const present = <A>(value: A | null | undefined, message: string): A => {
  invariant(value !== null && value !== undefined, message);
  return value;
};
