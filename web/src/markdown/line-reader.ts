/** One line at work: how far it is taken in, in characters and in columns, and what comes next on it. */
export class LineReader {
  text = "";
  /** Counts lines; the first is 1. */
  number = 0;
  offset = 0;
  column = 0;
  /** The offset is inside of a tab that the containers have used in part. */
  partlyTab = false;
  /** Where the next character that is no white space stands. */
  next = 0;
  nextColumn = 0;
  /** Columns of white space before it. */
  indent = 0;
  blank = false;

  begin(text: string): void {
    this.text = text;
    this.number += 1;
    this.offset = 0;
    this.column = 0;
    this.partlyTab = false;
    this.blank = false;
  }

  /** The line from its next character on. */
  get rest(): string {
    return this.text.slice(this.next);
  }

  /** Finds what comes after the white space at the offset. */
  findNext(): void {
    let place = this.offset, column = this.column;
    for (;; place++) {
      const character = this.text[place];
      if (character === " ") column++;
      else if (character === "\t") column += 4 - (column % 4);
      else break;
    }
    this.blank = place >= this.text.length;
    this.next = place;
    this.nextColumn = column;
    this.indent = column - this.column;
  }

  /** Moves on by `count` characters, or by `count` columns, of which a tab may hold several. */
  advance(count: number, columns: boolean): void {
    while (count > 0 && this.offset < this.text.length) {
      if (this.text[this.offset] === "\t") {
        const toTab = 4 - (this.column % 4);
        if (columns) {
          this.partlyTab = toTab > count;
          const advance = Math.min(count, toTab);
          this.column += advance;
          this.offset += this.partlyTab ? 0 : 1;
          count -= advance;
        } else {
          this.partlyTab = false;
          this.column += toTab;
          this.offset += 1;
          count -= 1;
        }
      } else {
        this.partlyTab = false;
        this.offset += 1;
        this.column += 1;
        count -= 1;
      }
    }
  }

  advanceToNext(): void {
    this.offset = this.next;
    this.column = this.nextColumn;
    this.partlyTab = false;
  }

  isSpace(place: number): boolean {
    return this.text[place] === " " || this.text[place] === "\t";
  }
}
