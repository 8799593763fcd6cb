// What steps do in git repositories elsewhere. Rule: data only; a token travels by the name of its variable.

/** A repository as git reaches it. */
export interface GitAddress {
  /** As people name it. */
  readonly name: string;
  /** What git takes. */
  readonly url: string;
  /** The name of the environment variable with a token. */
  readonly token?: string;
}

/** A repository that gets a tag. */
export interface RepositoryToTag extends GitAddress {
  readonly commit: string;
  /** The text of the annotated tag's object, as git stores it. */
  readonly object: string;
}

/** A branch that goes forward from one commit to a later one. */
export interface BranchToMove extends GitAddress {
  readonly branch: string;
  /** Where it is now; anywhere else, it is left alone. */
  readonly before: string;
  readonly commit: string;
}

/** Shell lines, and the commit that they judge. */
export interface CommitToTry extends GitAddress {
  readonly commit: string;
  /** The folder below the repository's top where they run; `.` = the top. */
  readonly folder: string;
  readonly lines: readonly string[];
}
