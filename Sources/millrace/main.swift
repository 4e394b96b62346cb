import CommandLineOptions
import Gateway
import Glibc

exit(MillraceProgram.run().rawValue)
