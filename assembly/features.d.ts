/**
 * 1 in the training build, 0 in the others: `--use TRAIN=…` of the compiler, so that inference carries no step of
 * training.
 */
declare const TRAIN: bool;
