/**
 * 1 in the training build, 0 in the others (`--use TRAIN=…` of the compiler), so inference carries no training steps.
 */
declare const TRAIN: bool;
