import { randomBits, randomNext, randomSeed } from "../random";
import { Guarded } from "./fixtures";

describe("random numbers", () => {
  test("xoshiro256**: the first numbers of the state 1, 2, 3, 4", () => {
    const state = new Guarded(32);
    for (let i: usize = 0; i < 4; i++) store<u64>(state.at + 8 * i, i + 1);
    // the reference implementation's output for that state
    const want: StaticArray<u64> = [11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600];
    for (let i = 0; i < want.length; i++) expect(randomBits(state.at)).toBe(want[i]);
    expect(state.intact()).toBe(true);
  });
  test("splitmix64 fills the state: the first numbers of seed 1234567", () => {
    const state = new Guarded(32);
    randomSeed(state.at, 1234567);
    expect(load<u64>(state.at)).toBe(6457827717110365317);
    expect(load<u64>(state.at, 8)).toBe(3203168211198807973);
    expect(load<u64>(state.at, 16)).toBe(9817491932198370423);
    expect(load<u64>(state.at, 24)).toBe(4593380528125082431);
    expect(state.intact()).toBe(true);
  });
  test("numbers in [0, 1), even, the same for the same seed, others for another", () => {
    const a = new Guarded(32),
      b = new Guarded(32),
      c = new Guarded(32),
      counts = new StaticArray<i32>(16);
    randomSeed(a.at, 42);
    randomSeed(b.at, 42);
    randomSeed(c.at, 43);
    let same = 0;
    for (let i = 0; i < 160000; i++) {
      const v = randomNext(a.at);
      if (!(v >= 0 && v < 1)) expect(v).toBe(0, "out of range");
      if (v != randomNext(b.at)) expect(i).toBe(-1, "not repeated");
      if (v == randomNext(c.at)) same++;
      counts[<i32>(v * 16)]++;
    }
    expect(same).toBe(0);
    // 10000 each, standard deviation 97
    for (let i = 0; i < 16; i++) expect(counts[i] > 9500 && counts[i] < 10500).toBe(true);
  });
});
