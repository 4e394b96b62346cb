import Glibc
import LoadClient

exit(LoadProgram.main())
